"""What a generation costs, wherever it is said; and that too little money writes nothing."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.services.credits.granting import GrantTerms, give_credit
from billing.services.fx import set_rate
from core.clock import now
from tests.gateway.api.expect import expect_error, expect_nothing_written
from tests.stack import wait_until
from tests.tenants import GENERATIONS, MODEL, new_prompt

FLUX = "fal/flux-1.1-pro"


@pytest.fixture
def pesos(stack, open_tenant):
    """An organization in pesos at MXN 20 to the dollar."""
    with stack.database():
        set_rate(base="USD", quote="MXN", rate=Decimal(20), source="manual", as_of=now(), now=now())
    return open_tenant(currency="MXN", amount="10")


def test_one_flux_image_costs_84_centavos_everywhere(pesos):
    answer = pesos.generate(new_prompt(), model=FLUX)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Cost"] == "0.84"
    assert answer.headers["X-Cost-Currency"] == "MXN"
    assert pesos.get("/v1/balance").json() == {
        "object": "balance",
        "currency": "MXN",
        "available": "9.16",
        "held": "0.00",
    }
    resource = pesos.get(f"{GENERATIONS}/{answer.headers['X-Generation-Id']}").json()
    assert resource["cost"] == {"amount": "0.84", "quoted": "0.84", "currency": "MXN"}
    assert sorted(pesos.postings("capture")) == [
        ("fx_clearing", "credit", 840_000, "MXN"),
        ("fx_clearing", "debit", 42_000, "USD"),
        ("revenue", "credit", 42_000, "USD"),
        ("wallet", "debit", 840_000, "MXN"),
    ]
    (hold,) = pesos.holds()
    assert (hold.status, hold.amount_micros, hold.captured_micros) == ("captured", 840_000, 840_000)
    assert pesos.wallet_micros() == (9_160_000, 0)
    assert pesos.ledger_findings() == []


def test_what_the_call_costs_us_is_recorded_with_its_attempt(pesos):
    pesos.generate(new_prompt(), model=FLUX)

    (attempt,) = wait_until(
        lambda: [one for one in pesos.attempts() if one.finished_at], "the attempt has ended"
    )
    assert (attempt.status, attempt.cost_micros) == ("succeeded", 40_000)
    assert attempt.upstream_id
    assert pesos.ledger_findings() == []


def test_money_is_held_while_the_job_runs(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with tenant.send_only(prompt):
        stack.upstream.wait_for_call(prompt)
        assert tenant.balance() == ("9.958", "0.042")
        stack.upstream.release(prompt)
        wait_until(lambda: tenant.balance() == ("9.958", "0.00"), "the money is captured")


def test_empty_balance_is_refused_and_writes_nothing(open_tenant, stack):
    tenant = open_tenant(amount="0")
    prompt = new_prompt()

    expect_error(tenant.generate(prompt), 402, "insufficient_balance")

    expect_nothing_written(tenant, posted_micros=0)
    assert stack.upstream.calls(prompt) == []


def test_balance_that_lacks_one_micro_is_refused(open_tenant):
    tenant = open_tenant(amount="0.041999")

    expect_error(tenant.generate("a cat"), 402, "insufficient_balance")

    expect_nothing_written(tenant, posted_micros=41_999)


def test_balance_is_spent_to_the_last_micro(open_tenant):
    tenant = open_tenant(amount="0.042")

    assert tenant.generate(new_prompt()).status_code == 200

    assert tenant.balance() == ("0.00", "0.00")
    expect_error(tenant.generate("a cat"), 402, "insufficient_balance")


def test_key_budget_is_refused_and_leaves_other_keys_alone(open_tenant):
    tenant = open_tenant(budget_micros=42_000)
    other = tenant.another_key()

    assert tenant.generate(new_prompt()).status_code == 200
    expect_error(tenant.generate("a cat"), 402, "budget_exceeded")

    assert len(tenant.generations()) == 1
    assert tenant.wallet_micros() == (9_958_000, 0)
    assert other.generate(new_prompt()).status_code == 200


def test_failed_generation_gives_the_budget_back(open_tenant, stack):
    tenant = open_tenant(budget_micros=42_000)
    refused = new_prompt()
    error = {"message": "No.", "type": "x", "param": None, "code": "content_policy_violation"}
    stack.upstream.rule(refused, status=400, body={"error": error})

    assert tenant.generate(refused).status_code == 400
    assert tenant.generate(new_prompt()).status_code == 200


def test_max_cost_at_the_price_is_enough(tenant):
    assert tenant.generate(new_prompt(), max_cost="0.042").status_code == 200


def test_organization_without_a_rate_is_told_so(open_tenant):
    tenant = open_tenant(currency="JPY", amount="0")

    expect_error(tenant.generate("a cat"), 503, "fx_rate_stale")

    assert tenant.generations() == []


def test_price_depends_on_size_and_quality(tenant):
    costs = [
        tenant.generate(new_prompt(), model=MODEL, **how).headers["X-Cost"]
        for how in (
            {"size": "1024x1024"},
            {"size": "1024x1024", "quality": "high"},
            {"size": "1792x1024", "quality": "hd"},
        )
    ]

    assert costs == ["0.042", "0.084", "0.126"]
    assert tenant.balance() == ("9.748", "0.00")


def test_promotional_credit_pays_first_and_the_balance_says_so(open_tenant, stack):
    tenant = open_tenant(amount="1")
    expires_at = now() + timedelta(days=7)
    with stack.database():
        give_credit(
            organization_id=tenant.organization_id,
            terms=GrantTerms(60_000, "USD", expires_at, "Welcome"),
            now=now(),
        )
    assert tenant.get("/v1/balance").json() == {
        "object": "balance",
        "currency": "USD",
        "available": "1.06",
        "held": "0.00",
        "promotional_credit": {
            "available": "0.06",
            "grants": [{"available": "0.06", "expires_at": int(expires_at.timestamp())}],
        },
    }

    costs = [tenant.generate(new_prompt(), model=FLUX).headers["X-Cost"] for _ in range(2)]

    assert costs == ["0.042", "0.042"]
    assert sorted(tenant.postings("capture")) == [
        ("revenue", "credit", 42_000, "USD"),
        ("revenue", "credit", 42_000, "USD"),
        ("wallet", "debit", 24_000, "USD"),
        ("wallet_promo", "debit", 18_000, "USD"),
        ("wallet_promo", "debit", 42_000, "USD"),
    ]
    assert tenant.balance() == ("0.976", "0.00")
    assert "promotional_credit" not in tenant.get("/v1/balance").json()
    assert tenant.ledger_findings() == []
