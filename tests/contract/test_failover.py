"""A provider's bad day: the next route serves, the breaker opens, and closes by itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.models import Breaker
from tests.stack import wait_until
from tests.tenants import new_prompt

TWO_ROUTES = "ideogram-v2"
REQUESTS = 200
AT_ONCE = 20


@pytest.fixture
def breaker(stack):
    """Read the first route's breaker."""

    def read():
        with stack.database():
            return Breaker.objects.get(provider="ideogram")

    return read


def test_with_one_route_down_every_request_succeeds(open_tenant, stack, breaker):
    tenant = open_tenant(amount="100")
    tag = new_prompt("down")
    stack.upstream.rule(tag, provider="ideogram", status=503)

    def generate(number):
        return tenant.generate(f"{tag} {number}", model=TWO_ROUTES)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        # What is in flight when the breaker opens goes on: the first few come alone.
        first = [generate(number) for number in range(3)]
        answers = first + list(pool.map(generate, range(3, REQUESTS)))

    assert [answer.status_code for answer in answers] == [200] * REQUESTS
    assert {answer.headers["X-Cost"] for answer in answers} == {"0.084"}
    tried = [call for call in stack.upstream.calls(tag) if call["provider"] == "ideogram"]
    assert 5 <= len(tried) <= 10
    assert breaker().is_open
    attempts = tenant.attempts()
    assert sum(attempt.status == "succeeded" for attempt in attempts) == REQUESTS
    assert {attempt.provider for attempt in attempts if attempt.status == "failed"} == {"ideogram"}
    assert {attempt.cost_micros for attempt in attempts if attempt.status == "failed"} == {0}
    assert tenant.balance() == ("83.20", "0.00")
    assert tenant.ledger_findings() == []


def test_an_open_breaker_closes_after_the_recovery(tenant, stack, breaker):
    tag = new_prompt("recovers")
    stack.upstream.rule(tag, provider="ideogram", status=503, times=5)

    def served_by_first():
        answer = tenant.generate(new_prompt(tag), model=TWO_ROUTES)
        assert answer.status_code == 200
        return tenant.attempts()[-1].provider == "ideogram"

    served_by_first()
    served_by_first()
    assert breaker().is_open
    wait_until(served_by_first, "the first route serves again", timeout_s=60, every_s=0.5)
    assert not breaker().is_open


def test_a_bad_key_upstream_fails_over_at_once_and_is_not_tried_again(tenant, stack, breaker):
    tag = new_prompt("unpaid")
    stack.upstream.rule(tag, provider="ideogram", status=401)

    answers = [tenant.generate(f"{tag} {number}", model=TWO_ROUTES) for number in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 4
    tried = [call for call in stack.upstream.calls(tag) if call["provider"] == "ideogram"]
    assert len(tried) == 1
    assert (breaker().is_open, breaker().reason) == (True, "BadCredentials")


def test_a_refusal_is_not_taken_to_another_provider(tenant, stack):
    prompt = new_prompt()
    refusal = {"error": "Prompt or provided image failed the safety checks"}
    stack.upstream.rule(prompt, provider="ideogram", status=422, body=refusal)

    answer = tenant.generate(prompt, model=TWO_ROUTES)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "content_policy_violation"
    assert [call["provider"] for call in stack.upstream.calls(prompt)] == ["ideogram"]


def test_without_another_route_the_failure_is_said_and_when_to_retry(tenant, stack):
    tag = new_prompt("alone")
    stack.upstream.rule(tag, provider="openai", status=503)

    answers = [tenant.generate(f"{tag} {number}") for number in range(4)]

    assert {answer.status_code for answer in answers} == {503}
    last = answers[-1]
    assert last.json()["error"]["code"] == "provider_unavailable"
    assert 1 <= int(last.headers["Retry-After"]) <= 60
    assert "failing at present" in last.json()["error"]["message"]
    assert last.headers["x-should-retry"] == "true"
    assert len(stack.upstream.calls(tag)) == 5
    assert tenant.balance() == ("10.00", "0.00")


def test_a_hanging_provider_leaves_the_others_alone(tenant, stack):
    tag = new_prompt("hangs")
    stack.upstream.rule(tag, provider="fal", hold=True)
    parked = [tenant.send_only(f"{tag} {number}", model="fal/flux-1.1-pro") for number in range(30)]
    stack.upstream.wait_for_call(tag, count=30)

    answers = [tenant.generate(new_prompt()) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 5
    waits = [one.started_at - one.created_at for one in tenant.generations() if one.finished_at]
    assert max(wait.total_seconds() for wait in waits) < 1.5
    stack.upstream.release(tag)
    for client in parked:
        client.close()

    def all_ended():
        return all(generation.is_terminal for generation in tenant.generations())

    wait_until(all_ended, "the parked requests end", timeout_s=60)
    assert {one.status for one in tenant.generations()} == {"succeeded"}
