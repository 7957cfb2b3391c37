"""`POST /v1/images/quotes`: a price that holds for ten minutes, once, for the same images."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
import requests

from billing.services.fx import set_rate
from billing.services.markups import set_markup
from billing.services.rates.spreads import set_spread
from core.clock import now
from core.ids import parse_quote_id
from gateway.models import Quote
from tests.gateway.api.expect import expect_error, expect_nothing_charged, expect_nothing_written
from tests.stack import wait_until
from tests.tenants import MODEL, Tenant, new_prompt

QUOTES = "/v1/images/quotes"


def ask(tenant: Tenant, **body: object) -> requests.Response:
    return tenant.request("POST", QUOTES, json={"model": MODEL, "prompt": "a cat", **body})


def quote_of(tenant: Tenant, **body: object) -> str:
    answer = ask(tenant, **body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def grow_older(tenant: Tenant, quote_id: str, age: timedelta) -> None:
    with tenant.stack.database():
        row = Quote.objects.get(id=quote_id.removeprefix("quote_"))
        row.created_at -= age
        row.expires_at -= age
        row.save()


def set_terms(tenant: Tenant, *, markup: str, rate: str, spread: str = "0") -> None:
    """Change markup and spread, and the rate of a currency that no other test has."""
    with tenant.stack.database():
        moment = now()
        set_markup(organization_id=tenant.organization_id, rate=Decimal(markup), now=moment)
        set_spread(rate=Decimal(spread), organization_id=tenant.organization_id, now=moment)
        set_rate(
            base="USD",
            quote="NOK",
            rate=Decimal(rate),
            source="manual",
            as_of=moment,
            now=moment,
        )


def test_quote_says_what_the_request_will_cost(tenant):
    before = int(time.time())

    answer = ask(tenant, model="dall-e-2", n=3, size="512x512")

    body = answer.json()
    assert answer.status_code == 200
    assert body["object"] == "quote"
    assert parse_quote_id(body["id"]) is not None
    assert (body["images"], body["currency"]) == (3, "USD")
    assert Decimal(body["amount"]) == 3 * Decimal(body["unit_amount"])
    assert before + 599 <= body["expires_at"] <= time.time() + 600
    image = tenant.generate(
        new_prompt(), model="dall-e-2", n=3, size="512x512", quote_id=body["id"]
    )
    assert image.headers["X-Cost"] == body["amount"]
    assert tenant.ledger_findings() == []


def test_quote_takes_no_money_and_makes_no_image(tenant, stack):
    prompt = new_prompt()
    quote_of(tenant, prompt=prompt)

    expect_nothing_written(tenant)
    assert stack.upstream.calls(prompt) == []


def test_quoted_price_holds_when_markup_and_rate_change(open_tenant):
    tenant = open_tenant(currency="NOK", amount="100")
    set_terms(tenant, markup="0.05", rate="10", spread="0.1")
    quote_id = quote_of(tenant)
    set_terms(tenant, markup="1", rate="11")

    dearer = ask(tenant).json()["amount"]
    quoted = tenant.generate(new_prompt(), quote_id=quote_id)
    plain = tenant.generate(new_prompt())

    assert quoted.headers["X-Cost"] == "0.462"
    assert plain.headers["X-Cost"] == dearer == "0.88"
    terms = [(hold.markup, hold.rate, hold.spread) for hold in tenant.holds()]
    assert terms == [(Decimal("0.05"), 10, Decimal("0.1")), (1, 11, 0)]
    assert tenant.ledger_findings() == []


def test_quote_is_for_the_same_images_and_kept_by_a_mismatch(tenant):
    wanted = {"model": "dall-e-2", "n": 2, "size": "1024x1024"}
    quote_id = quote_of(tenant, **wanted)
    for change in ({"model": "gpt-image-2"}, {"n": 1}, {"size": "256x256"}):
        answer = tenant.generate(new_prompt(), **{**wanted, **change}, quote_id=quote_id)
        expect_error(answer, 400, "quote_mismatch", "quote_id")
    expect_nothing_written(tenant)

    assert tenant.generate(new_prompt(), **wanted, quote_id=quote_id).status_code == 200


def test_what_does_not_change_the_price_may_differ(tenant):
    quote_id = quote_of(tenant, model="dall-e-3")

    answer = tenant.generate(
        new_prompt(),
        model="openai/dall-e-3",
        size="1024x1024",
        quality="standard",
        style="natural",
        response_format="b64_json",
        user="alice",
        quote_id=quote_id,
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("quote_id", ["quote_1", f"quote_{'0' * 32}", f"req_{'0' * 32}", ""])
def test_unknown_quote_is_a_mismatch(quote_id, tenant):
    answer = tenant.generate(new_prompt(), quote_id=quote_id)

    expect_error(answer, 400, "quote_mismatch", "quote_id")
    expect_nothing_written(tenant)


def test_quote_of_another_organization_is_as_unknown_and_stays_theirs(open_tenant):
    mine, other = open_tenant(), open_tenant()
    quote_id = quote_of(mine)

    foreign = other.generate(new_prompt(), quote_id=quote_id)
    unknown = other.generate(new_prompt(), quote_id=f"quote_{'0' * 32}")

    assert foreign.content == unknown.content
    expect_error(foreign, 400, "quote_mismatch", "quote_id")
    assert mine.generate(new_prompt(), quote_id=quote_id).status_code == 200


def test_quote_is_of_live_or_test_keys(tenant):
    tester = tenant.another_key(livemode=False)

    expect_error(
        tester.generate(new_prompt(), quote_id=quote_of(tenant)), 400, "quote_mismatch", "quote_id"
    )
    answer = tester.generate(new_prompt(), quote_id=quote_of(tester))
    assert (answer.status_code, answer.headers["X-Cost"]) == (200, "0.00")


def test_quote_is_used_once(tenant):
    quote_id = quote_of(tenant)
    assert tenant.generate(new_prompt(), quote_id=quote_id).status_code == 200

    expect_error(tenant.generate(new_prompt(), quote_id=quote_id), 400, "quote_expired", "quote_id")
    assert tenant.balance() == ("9.958", "0.00")


def test_quote_ends_after_ten_minutes(tenant):
    young, old = quote_of(tenant), quote_of(tenant)
    grow_older(tenant, young, timedelta(minutes=9, seconds=50))
    grow_older(tenant, old, timedelta(minutes=10))

    expect_error(tenant.generate(new_prompt(), quote_id=old), 400, "quote_expired", "quote_id")
    assert tenant.generate(new_prompt(), quote_id=young).status_code == 200


def test_one_quote_of_twenty_requests_at_once_is_used_by_one(tenant):
    quote_id = quote_of(tenant)

    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda _: tenant.generate(new_prompt(), quote_id=quote_id), range(20))
        )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 19}
    assert {one.json()["error"]["code"] for one in answers if one.status_code == 400} == {
        "quote_expired"
    }
    assert len(tenant.generations()) == len(tenant.holds()) == 1
    assert tenant.balance() == ("9.958", "0.00")
    assert tenant.ledger_findings() == []


def test_idempotency_key_and_quote_of_many_requests_are_one_image(tenant):
    prompt, headers, quote_id = new_prompt(), {"Idempotency-Key": "k"}, quote_of(tenant)

    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(
                lambda _: tenant.generate(prompt, headers=headers, quote_id=quote_id), range(10)
            )
        )

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


def test_refused_request_leaves_the_quote_unused(open_tenant):
    tenant = open_tenant(amount="0.01")
    quote_id = quote_of(tenant)
    expect_error(tenant.generate(new_prompt(), quote_id=quote_id), 402, "insufficient_balance")
    tenant.top_up("1")

    assert tenant.generate(new_prompt(), quote_id=quote_id).status_code == 200


def test_failure_that_may_pass_gives_the_quote_back(tenant, stack):
    prompt, quote_id = new_prompt(), quote_of(tenant)
    stack.upstream.rule(prompt, status=500, times=10)

    failed = tenant.generate(prompt, quote_id=quote_id)

    assert failed.headers["x-should-retry"] == "true"
    expect_nothing_charged(tenant)
    stack.close_breakers()
    assert tenant.generate(new_prompt(), quote_id=quote_id).status_code == 200


def test_refusal_by_the_provider_uses_the_quote_up(tenant, stack):
    prompt, quote_id = new_prompt(), quote_of(tenant)
    refusal = {"error": {"code": "content_policy_violation", "message": "No.", "type": "x"}}
    stack.upstream.rule(prompt, status=400, body=refusal)
    expect_error(
        tenant.generate(prompt, quote_id=quote_id), 400, "content_policy_violation", "prompt"
    )

    expect_error(tenant.generate(new_prompt(), quote_id=quote_id), 400, "quote_expired", "quote_id")


def test_asynchronous_request_uses_its_quote(tenant):
    quote_id = quote_of(tenant)

    answer = tenant.generate(new_prompt(), headers={"Prefer": "respond-async"}, quote_id=quote_id)

    assert answer.status_code == 202
    assert answer.json()["cost"]["quoted"] == "0.042"
    wait_until(lambda: tenant.balance() == ("9.958", "0.00"), "the capture")


def test_max_cost_counts_for_a_quoted_price_too(tenant):
    answer = tenant.generate(new_prompt(), quote_id=quote_of(tenant), max_cost="0.04")

    expect_error(answer, 400, "max_cost_exceeded", "max_cost")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"prompt": " "}, "missing_required_parameter", "prompt"),
        ({"n": 2}, "invalid_value", "n"),
        ({"size": "1x1"}, "invalid_value", "size"),
        ({"quote_id": 5}, "invalid_value", "quote_id"),
    ],
)
def test_body_is_checked_as_that_of_a_generation(body, code, param, tenant):
    expect_error(ask(tenant, **body), 400, code, param)


def test_quote_needs_a_model_that_the_key_may_use(tenant):
    key = tenant.another_key(models_allowed=("dall-e-2",))

    expect_error(ask(key), 403, "model_not_allowed", "model")


def test_missing_rate_is_said(open_tenant):
    expect_error(ask(open_tenant(currency="NZD", amount="0")), 503, "fx_rate_stale")
