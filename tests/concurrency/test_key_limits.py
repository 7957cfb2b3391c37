"""What a key may spend and how many jobs it may have at once, asked by many at the same instant."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from billing.models import Budget, BudgetPeriod
from orgs.models import Organization
from orgs.services.api_keys import Rates
from tests.gateway.api.expect import expect_error
from tests.stack import wait_until
from tests.tenants import Tenant, new_prompt

REQUESTS = 200
ASKED = 60
IMAGES = 50
MODEL = "openai/dall-e-2"
UNIT_MICROS = 21_000


@contextmanager
def all_at_once(count, send):
    """Send as many requests at once as there are numbers below `count`; give their futures."""
    start = threading.Barrier(count)

    def one(number):
        start.wait()
        return send(number)

    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(one, number) for number in range(count)]


def budget_of(tenant: Tenant) -> tuple[int, int]:
    """Return what the month's budget of the key has held and captured."""
    with tenant.stack.database():
        budget = Budget.objects.get(api_key_id=tenant.api_key_id)
        period = BudgetPeriod.objects.get(budget=budget)
        return period.held_micros, period.captured_micros


def test_rates_hold_exactly_over_both_web_processes(open_tenant):
    tenant = open_tenant(rates=Rates(images_per_minute=20))

    with all_at_once(60, lambda _: tenant.generate(new_prompt("rates"))) as sent:
        answers = [future.result() for future in sent]

    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) == 40
    for answer in refused:
        expect_error(answer, 429, "rate_limit_exceeded", retry=True)
    assert len(tenant.generations()) == len(tenant.artifacts()) == 20


@pytest.mark.parametrize("n", [1, 3])
def test_budget_for_fifty_images_gives_exactly_fifty(n, open_tenant, stack):
    """What is left of 50 after threes buys no three, but a two.

    Both web processes listen at one socket; which of them accepts how many is the system's choice.
    """
    tenant = open_tenant(amount="1000", budget_micros=IMAGES * UNIT_MICROS)
    prompt = new_prompt("budget")

    def send(number):
        return tenant.generate(f"{prompt} {number}", model=MODEL, n=n)

    with all_at_once(REQUESTS, send) as sent:
        answers = [future.result() for future in sent]

    drawn = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(drawn) == IMAGES // n
    assert {len(answer.json()["data"]) for answer in drawn} == {n}
    for answer in refused:
        expect_error(answer, 402, "budget_exceeded")
    rest = IMAGES % n
    if rest:
        assert tenant.generate(f"{prompt} rest", model=MODEL, n=rest).status_code == 200
    expect_error(tenant.generate(new_prompt(), model=MODEL), 402, "budget_exceeded")
    assert len(tenant.artifacts()) == IMAGES
    assert budget_of(tenant) == (0, IMAGES * UNIT_MICROS)
    assert tenant.wallet_micros() == (1_000_000_000 - IMAGES * UNIT_MICROS, 0)
    assert len(stack.upstream.calls(prompt)) == IMAGES // n + (1 if rest else 0)
    assert tenant.ledger_findings() == []


def test_no_more_jobs_at_once_than_the_key_may_have(open_tenant, stack):
    tenant = open_tenant(max_concurrent=5)
    prompt = new_prompt("at once")
    stack.upstream.rule(prompt, hold=True)

    with all_at_once(ASKED, lambda number: tenant.generate(f"{prompt} {number}")) as sent:
        wait_for_refusals(sent, but=5)
        stack.upstream.release(prompt)
        answers = [future.result() for future in sent]

    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(answers) - len(refused) == 5
    for answer in refused:
        message = expect_error(answer, 429, "concurrency_exceeded", retry=True)
        assert "API key" in message
        assert "limit is 5" in message
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(tenant.generations()) == 5
    assert tenant.ledger_findings() == []


def test_no_more_jobs_at_once_than_the_organization_may_have(open_tenant, stack):
    """Two keys, each with less than the organization; the rest of it is for the third one."""
    first = open_tenant(max_concurrent=3)
    with stack.database():
        Organization.objects.filter(id=first.organization_id).update(max_concurrent=8)
    keys = [first, first.another_key(max_concurrent=4), first.another_key()]
    prompt = new_prompt("at once")
    stack.upstream.rule(prompt, hold=True)

    with all_at_once(ASKED, lambda number: keys[number % 3].generate(f"{prompt} {number}")) as sent:
        wait_for_refusals(sent, but=8)
        stack.upstream.release(prompt)
        answers = [future.result() for future in sent]

    drawn = [[a for a in answers[start::3] if a.status_code == 200] for start in range(3)]
    assert sum(map(len, drawn)) == len(first.generations()) == 8
    assert len(drawn[0]) <= 3
    assert len(drawn[1]) <= 4
    messages = {
        expect_error(answer, 429, "concurrency_exceeded", retry=True)
        for answer in answers
        if answer.status_code != 200
    }
    assert any("organization" in message and "limit is 8" in message for message in messages)
    assert first.ledger_findings() == []


def test_job_that_has_ended_makes_room(open_tenant):
    tenant = open_tenant(max_concurrent=1)

    answers = [tenant.generate(new_prompt()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


def wait_for_refusals(sent, *, but):
    """Wait until all but so many requests are answered; those are jobs that the upstream holds."""
    wait_until(
        lambda: sum(future.done() for future in sent) >= len(sent) - but, "all others are refused"
    )
