"""What an import would have made of a month, and that it reprices nothing that is held."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction

from billing.models import Hold
from billing.services.fx import set_rate
from billing.services.holds import authorize_hold, capture_hold
from billing.services.prices import sync_list_prices
from billing.services.quotes import Cell, quote_unit
from billing.services.topups import top_up
from core.clock import now
from gateway.catalog.prices import list_prices
from gateway.management.commands.bootstrap import price_row
from gateway.services.pricebook.effects import Effect, sheet_effects
from gateway.services.pricebook.imports import PriceImport, import_prices
from gateway.services.pricebook.sheets import read_sheet
from orgs.services.audit import SYSTEM
from tests.gateway.services.rows import add_attempt, add_generation, open_key
from tests.moments import next_month

pytestmark = pytest.mark.django_db
KEY = "flux-1.1-pro"
LIST = """\
model,size,quality,currency,amount,source
fal/flux-1.1-pro,,,USD,0.05,Price list
flux-1.1-pro,1024x1024,,EUR,0.05,Price list
dall-e-3,1024x1024,hd,USD,0.09,Price list
"""


@pytest.fixture(autouse=True)
def _published(db):
    sync_list_prices(rows=[price_row(price) for price in list_prices()], now=now())
    for quote, rate in (("EUR", "0.9"), ("MXN", "20")):
        set_rate(
            base="USD", quote=quote, rate=Decimal(rate), source="manual", as_of=now(), now=now()
        )


def hold(currency: str, images: int) -> str:
    """Authorize images of a new organization at the price in force; return the reference."""
    key = open_key(currency)
    top_up(
        organization_id=key.organization_id,
        amount_micros=100_000_000,
        idempotency_key=uuid4().hex,
        now=now(),
    )
    parameters = {"n": images, "size": "1024x1024", "quality": None}
    generation = add_generation(key, currency=currency, parameters=parameters)
    cost = 40_000 * images
    add_attempt(generation, number=1, ended_at=now(), cost_micros=cost)
    cell = Cell(KEY, "1024x1024", "", 1024 * 1024)
    organization_id = key.organization_id
    with transaction.atomic():
        authorize_hold(
            organization_id=organization_id,
            api_key_id=key.id,
            reference=str(generation.id),
            quote=quote_unit(
                organization_id=organization_id, currency=currency, cell=cell, now=now()
            ),
            count=images,
            deadline_at=now() + timedelta(seconds=60),
            now=now(),
        )
    return str(generation.id)


def capture(reference: str, images: int) -> None:
    with transaction.atomic():
        capture_hold(
            reference=reference,
            artifact_references=[f"{reference}/{index}" for index in range(images)],
            now=now(),
        )


def test_preview_says_what_a_month_would_have_brought():
    for currency, images in (("USD", 3), ("MXN", 1), ("EUR", 2)):
        capture(hold(currency, images), images)
    hold("USD", 4)
    later = next_month()

    euros, dollars = sheet_effects(read_sheet(LIST, now=later), now=later)

    assert (euros.book.name, dollars.book.name) == ("eur", "platform")
    # Two images for EUR 0.0378; their cost is USD 0.08.
    assert euros.total == Effect("", 2, Decimal("0.0756"), Decimal("0.1"), Decimal("0.072"))
    # All six were priced by the platform's book, before exchange; who pays in EUR, too.
    assert dollars.models == [Effect(KEY, 6, Decimal("0.252"), Decimal("0.315"), Decimal("0.24"))]
    assert dollars.total.change == Decimal("0.063")
    this_month = sheet_effects(read_sheet(LIST, now=now()), now=now())
    assert [one.models for one in this_month] == [[], []]


def test_import_leaves_holds_and_what_was_charged_as_they_were():
    charged, held = hold("USD", 2), hold("MXN", 1)
    capture(charged, 2)
    file = PriceImport(uuid4(), LIST, "New list")

    assert import_prices(file=file, allow_loss=False, actor=SYSTEM, now=now()) == 3
    capture(held, 1)

    amounts = {row.reference: row.captured_micros for row in Hold.objects.all()}
    assert (amounts[charged], amounts[held]) == (84_000, 840_000)
    assert Hold.objects.get(reference=hold("USD", 1)).unit_micros == 52_500
