"""Costs in the price book: published once, changed from a date on, and what follows from it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing.models import PriceVersion
from billing.services.prices import sync_list_prices
from core.clock import now
from gateway.catalog.check import may_serve
from gateway.catalog.costs import PER_MEGAPIXEL, CostKey
from gateway.catalog.prices import list_prices
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size
from gateway.catalog.types import Route
from gateway.errors import InvalidRequestError
from gateway.management.commands.bootstrap import price_row
from gateway.services.pricebook.cost_changes import NewCost, change_cost
from gateway.services.pricebook.costs import (
    catalog_at,
    cost_rows,
    forget_costs,
    route_at_cost,
)
from gateway.services.pricing import find_losses
from orgs.models import AuditEvent
from orgs.services.audit import SYSTEM

pytestmark = pytest.mark.django_db
NAME = "fal/fal-ai/flux-pro/v1.1"
SQUARE = Size(1024, 1024)


@pytest.fixture(autouse=True)
def _published(db):
    rows = [*(price_row(price) for price in list_prices()), *cost_rows()]
    assert sync_list_prices(rows=rows, now=now()) == len(rows)
    assert sync_list_prices(rows=rows, now=now()) == 0
    forget_costs()
    yield
    forget_costs()


def flux(at: datetime | None = None) -> Route:
    """Return the route of fal at the costs of an instant, or the shipped one."""
    model = (catalog() if at is None else catalog_at(at)).find("fal/flux-1.1-pro")
    assert model is not None
    return next(route for route in model.routes if route.served_by == NAME)


def change(amount: str, *, accept_loss: bool = False, **values: Any) -> int:
    given: dict[str, Any] = {"key": PER_MEGAPIXEL, "source": "Price list", "reason": "Dearer"}
    cost = NewCost(route=NAME, amount=Decimal(amount), **{**given, **values})
    return change_cost(cost=cost, accept_loss=accept_loss, actor=SYSTEM, now=now())


def may_draw() -> bool:
    """Return whether the route may draw what sells for USD 0.042."""
    model = catalog().find("fal/flux-1.1-pro")
    assert model is not None
    return may_serve(model, route_at_cost(flux()), SQUARE, None, sale_usd=Decimal("0.042"))


def test_what_is_published_is_what_the_catalog_says():
    assert catalog_at(now()) is catalog()
    assert route_at_cost(flux()) is flux()
    assert find_losses(now=now()) == []


def test_a_cost_holds_from_its_date_on_and_is_logged():
    later = now() + timedelta(days=3)

    change("0.041", active_from=later)

    assert flux(now()).image_cost.usd(SQUARE, None) == Decimal("0.04")
    assert flux(later).image_cost.usd(SQUARE, None) == Decimal("0.041")
    assert route_at_cost(flux()).image_cost.usd(SQUARE, None) == Decimal("0.04")
    change("0.0415")
    assert route_at_cost(flux()).image_cost.usd(SQUARE, None) == Decimal("0.0415")
    event = AuditEvent.objects.filter(action="cost.set").latest("created_at")
    assert event.object_id == NAME
    assert event.changes["amount"]["after"] == "0.0415"
    assert event.changes["reason"]["after"] == "Dearer"


def test_a_cost_above_the_price_takes_the_route_out_once_it_is_accepted():
    assert may_draw()

    with pytest.raises(InvalidRequestError) as refused:
        change("0.05")
    assert NAME in str(refused.value.details["losses"])
    assert PriceVersion.objects.filter(kind="cost", source="Price list").count() == 0

    change("0.05", accept_loss=True)
    assert not may_draw()
    assert any(NAME in loss for loss in find_losses(now=now()))


@pytest.mark.parametrize(
    "values",
    [
        {"key": CostKey("text_in_1m")},
        {"source": " "},
        {"reason": ""},
        {"active_from": datetime(2020, 1, 1).astimezone()},
    ],
)
def test_a_wrong_cost_is_refused(values):
    with pytest.raises(InvalidRequestError):
        change("0.041", **values)

    assert not AuditEvent.objects.filter(action="cost.set").exists()


def test_database_keeps_costs_to_routes_in_dollars_and_unchanged():
    row = PriceVersion.objects.filter(kind="cost").earliest("id")
    for field, value in (("route", ""), ("model_key", "x"), ("currency", "EUR")):
        copy = PriceVersion.objects.get(id=row.id)
        copy.id = None
        setattr(copy, field, value)
        with (
            pytest.raises(IntegrityError, match="billing_price_cost_of_route"),
            transaction.atomic(),
        ):
            copy.save(force_insert=True)
