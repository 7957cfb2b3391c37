"""`set_price` changes what the next request costs, and refuses what would lose money."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.selectors.prices import active_prices
from billing.services.prices import sync_list_prices
from core.clock import now
from gateway.catalog.prices import list_prices
from gateway.errors import InvalidRequestError
from gateway.management.commands.bootstrap import price_row
from gateway.services.pricing import NewPrice, change_price
from orgs.models import AuditEvent
from orgs.services.audit import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _published(db):
    sync_list_prices(rows=[price_row(price) for price in list_prices()], now=now())


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("set_price", *arguments, "--json", stdout=out)
    printed: dict[str, Any] = json.loads(out.getvalue())
    return printed


def prices(key: str) -> dict[tuple[str, str], Decimal]:
    moment = now() + timedelta(seconds=1)
    rows = active_prices(kind="list", now=moment)
    return {(row.size, row.quality): row.amount for row in rows if row.model_key == key}


def test_a_flat_price_is_replaced_under_either_id():
    run("fal/flux-1.1-pro", "0.05")

    assert prices("flux-1.1-pro") == {("", ""): Decimal("0.05")}


def test_one_cell_is_replaced_and_the_others_stay():
    run("dall-e-3", "0.09", "--size", "1024x1024", "--quality", "hd")

    assert prices("dall-e-3")["1024x1024", "hd"] == Decimal("0.09")
    assert prices("dall-e-3")["1024x1024", "standard"] == Decimal("0.04")


def test_a_price_for_everything_reaches_the_exact_cells_too():
    run("dall-e-3", "0.2")

    assert set(prices("dall-e-3").values()) == {Decimal("0.2")}
    assert len(prices("dall-e-3")) == 7


def test_a_price_may_begin_later():
    later = (now() + timedelta(days=1)).isoformat()

    assert run("fal/flux-1.1-pro", "0.05", "--from", later, "--source", "Memo 9")["ids"]

    assert prices("flux-1.1-pro") == {("", ""): Decimal("0.04")}
    for wrong in ("soon", "2099-01-01T00:00", "2020-01-01T00:00Z"):
        with pytest.raises(CommandError):
            run("fal/flux-1.1-pro", "0.05", "--from", wrong)


def test_a_loss_is_refused_and_nothing_changes():
    before = prices("flux-1.1-pro")

    with pytest.raises(CommandError, match="at a loss"):
        run("fal/flux-1.1-pro", "0.01")

    assert prices("flux-1.1-pro") == before


def test_an_accepted_loss_is_set():
    run("fal/flux-1.1-pro", "0.01", "--accept-loss")

    assert prices("flux-1.1-pro") == {("", ""): Decimal("0.01")}


def test_a_price_from_later_on_is_logged_and_waits_and_keeps_what_inputs_cost():
    at = now()
    change: dict[str, Any] = {"accept_loss": False, "created_by": "x", "actor": SYSTEM, "now": at}
    price = NewPrice("gpt-image-1", Decimal("0.25"), source="Memo 7")
    before = prices("gpt-image-1")

    with pytest.raises(InvalidRequestError):
        change_price(price=replace(price, active_from=at - timedelta(hours=1)), **change)
    with pytest.raises(InvalidRequestError):
        change_price(price=replace(price, source=" "), **change)
    assert not AuditEvent.objects.filter(action="price.set").exists()
    change_price(price=replace(price, active_from=at + timedelta(hours=1)), **change)

    assert prices("gpt-image-1") == before
    later = active_prices(kind="list", now=at + timedelta(hours=1))
    [row] = [row for row in later if row.model_key == "gpt-image-1"]
    assert (row.amount, row.source, row.input_amount) == (
        Decimal("0.25"),
        "Memo 7",
        Decimal("0.07"),
    )
    changes = AuditEvent.objects.get(action="price.set", organization=None).changes
    assert (changes["amount"]["after"], changes["source"]["after"]) == ("0.25", "Memo 7")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope", "1"], "does not exist"),
        (["dall-e-3", "0"], "more than zero"),
        (["dall-e-3", "NaN"], "not a price"),
        (["dall-e-3", "1", "--currency", "QQQ"], "ISO 4217"),
        (["dall-e-3", "1", "--size", "3x3"], "no size"),
        (["dall-e-3", "1", "--quality", "ultra"], "no quality"),
    ],
)
def test_bad_input_is_a_clear_error(arguments, message):
    with pytest.raises(CommandError, match=message):
        run(*arguments)
