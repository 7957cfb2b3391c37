"""What a generation may cost us, where its list price is not in USD."""

from decimal import Decimal
from uuid import uuid4

import pytest

from billing.services.fx import set_rate
from billing.services.prices import set_price
from billing.services.topups import top_up
from core.clock import now
from gateway.models import Generation
from gateway.services.costing import MILLION, presumed_loss
from gateway.services.playground.callers import console_caller
from gateway.services.playground.generating import generate_in_console
from gateway.services.runs.jobs import Purse
from orgs.models import Organization, User
from tests.gateway.services.rows import add_attempt, open_key


@pytest.mark.parametrize(
    ("currency", "rate", "usd_micros"), [("JPY", "150", 40_000), ("UYU", None, 0)]
)
def test_a_quote_in_another_currency_is_never_taken_for_usd(
    db, settings, currency, rate, usd_micros
):
    """Six yen are four cents; of a currency without a rate nothing is known."""
    settings.SANDBOX_BASE_URL, settings.LIENZO_SANDBOX = "http://127.0.0.1:9", "auto"
    moment, organization = now(), open_key(currency).organization
    Organization.objects.filter(id=organization.id).update(is_demo=True)
    if rate:
        set_rate(
            base="USD",
            quote=currency,
            rate=Decimal(rate),
            source="manual",
            as_of=moment,
            now=moment,
        )
    set_price(model_key="flux-1.1-pro", amount=Decimal(6), currency=currency, now=moment)
    top_up(
        organization_id=organization.id,
        amount_micros=6_000_000,
        idempotency_key=uuid4().hex,
        now=moment,
    )
    person = User.objects.create_user(f"{uuid4().hex}@example.com")
    caller = console_caller(organization_id=organization.id, user_id=person.id, livemode=True)

    [result] = generate_in_console(
        caller=caller,
        body={"prompt": "a lighthouse"},
        models=["fal/flux-1.1-pro"],
        submission_key="form",
        now=now(),
    ).results

    assert result.generation_id is not None
    generation = Generation.objects.get(id=result.generation_id)
    assert (generation.quoted_micros, generation.currency) == (6_000_000, currency)
    assert generation.quoted_list_micros == usd_micros
    lost = add_attempt(generation, number=1, ended_at=None, upstream_model="gone")
    assert presumed_loss(generation, lost) == Decimal(usd_micros) / MILLION
    # What a worker may spend, after a call that was lost.
    purse = Purse(limit=generation.quoted_list_micros / MILLION)
    purse.book(Decimal(0), cost=Decimal("0.02"), lost=True)
    assert purse.affords(Decimal("0.02")) == bool(rate)
    assert not purse.affords(Decimal("0.03"))
