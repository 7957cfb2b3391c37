"""The price book of finance: what it shows, changing prices and markups, importing lists."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from billing.models import Markup, PriceVersion
from billing.services.fx import set_rate
from billing.services.prices import sync_list_prices
from billing.services.quotes import Cell, quote_unit
from core.clock import now
from gateway.catalog.prices import list_prices
from gateway.management.commands.bootstrap import price_row
from gateway.services.onboarding import open_organization
from gateway.services.pricebook.costs import cost_rows
from orgs.models import AuditEvent, User
from tests.orgs.people import Team, person
from tests.visits import signed_in, visit

pytestmark = pytest.mark.django_db

BOOK = "/finance/prices"
CHANGE = f"{BOOK}/change"
MARKUPS = f"{BOOK}/markups"
IMPORT = f"{BOOK}/import"
CONFIRM = f"{IMPORT}/confirm"
COSTS = f"{BOOK}/costs?route=fal/fal-ai/flux-pro/v1.1"
PAGES = (BOOK, f"{BOOK}?kind=cost", f"{BOOK}/csv", CHANGE, MARKUPS, IMPORT)
HISTORY = f"{BOOK}/history?book=platform&model_key=flux-1.1-pro&size=&quality="
EUROS = """\
model,size,quality,currency,amount,source
dall-e-3,1024x1024,standard,EUR,0.040,Price list
dall-e-3,1024x1024,hd,EUR,0.080,Price list
flux-1.1-pro,1024x1024,,EUR,0.040,Price list
"""


@pytest.fixture
def finance(pages) -> Client:
    rows = [*(price_row(price) for price in list_prices()), *cost_rows()]
    sync_list_prices(rows=rows, now=now())
    exchange("EUR", "0.9")
    return signed_in(person(staff_role="finance").user)


def exchange(currency: str, rate: str) -> None:
    set_rate(
        base="USD",
        quote=currency,
        rate=Decimal(rate),
        source="manual",
        as_of=now(),
        now=now(),
    )


def asked(**values: str) -> dict[str, str]:
    terms = {"model": "fal/flux-1.1-pro", "currency": "USD", "amount": "0.05"}
    return {**terms, "source": "Memo 9", "reason": "Dearer", **values}


def upload(client: Client, text: str) -> str:
    file = SimpleUploadedFile("prices.csv", text.encode())
    return client.post(IMPORT, {"file": file}).content.decode()


def signed(page: str) -> str:
    return page.partition('name="file" value="')[2].partition('"')[0]


def price_of(currency: str, model: str, size: str = "1024x1024", quality: str = "") -> int:
    organization = open_organization(name="Customer", currency=currency)
    cell = Cell(model, size, quality, 1024 * 1024)
    quote = quote_unit(organization_id=organization.id, currency=currency, cell=cell, now=now())
    return quote.unit_micros


def test_pages_are_for_finance_alone(finance):
    others = [
        signed_in(person(staff_role="operator").user),
        signed_in(Team.open().person("owner").user),
        signed_in(person().user),
    ]
    for path in (*PAGES, HISTORY, COSTS):
        if "csv" not in path:
            visit(finance, path)
        assert [client.get(path).status_code for client in others] == [404] * 3, path
    for path in (CHANGE, MARKUPS, IMPORT, CONFIRM, COSTS):
        assert [client.post(path, asked()).status_code for client in others] == [404] * 3, path
    assert not AuditEvent.objects.filter(action__startswith="price.").exists()


def test_book_shows_prices_with_cost_gain_and_what_is_to_come(finance):
    page = visit(finance, f"{BOOK}?q=flux-1.1-pro")
    assert "0.042" in page
    assert "4.8\u00a0%" in page
    assert "To come" not in page
    assert "dall-e-3" not in page

    later = (now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert finance.post(CHANGE, asked(active_from=later)).status_code == 302
    assert "To come" in visit(finance, f"{BOOK}?q=flux-1.1-pro")
    assert price_of("USD", "flux-1.1-pro") == 42_000
    history = visit(finance, HISTORY)
    assert history.index("Memo 9") < history.index("Lienzo&#x27;s published price table")

    lines = b"".join(finance.get(f"{BOOK}/csv?q=flux-1.1-pro")).decode().splitlines()
    assert lines[0].startswith("model,size,quality,currency,amount,input_amount,unit")
    assert sum("0.05,0,image" in line and "Memo 9" in line for line in lines) == 1
    assert "fal" in visit(finance, f"{BOOK}?kind=cost&q=flux-1.1-pro")
    assert finance.get(f"{BOOK}?book=nope").status_code == 404


def test_a_price_many_times_as_high_has_to_be_meant(finance):
    high = asked(amount="0.13", source="A slip")
    refused = finance.post(CHANGE, high).content.decode()
    assert "The price in force is 0.04 USD: this is more than 3 times as much." in refused
    assert not PriceVersion.objects.filter(source="A slip").exists()
    # The first price of a book is beside no other.
    assert finance.post(CHANGE, asked(currency="EUR", amount="9")).status_code == 302

    assert finance.post(CHANGE, {**high, "allow_rise": "on"}).status_code == 302
    assert PriceVersion.objects.filter(source="A slip").exists()


def test_a_price_needs_a_reason_and_a_loss_has_to_be_wanted(finance):
    assert finance.post(CHANGE, asked(reason="")).status_code == 200
    refused = finance.post(CHANGE, asked(amount="0.01")).content.decode()
    assert "At this price images would sell at a loss." in refused
    # EUR 0.03 are USD 0.0333 at 0.9, and the image costs 0.04.
    refused = finance.post(CHANGE, asked(currency="EUR", amount="0.03")).content.decode()
    assert "At this price images would sell at a loss." in refused
    assert not PriceVersion.objects.filter(source="Memo 9").exists()

    assert finance.post(CHANGE, asked(amount="0.01", allow_loss="on")).status_code == 302
    changes = AuditEvent.objects.get(action="price.set").changes
    assert changes["reason"]["after"] == "Dearer"
    assert changes["allow_loss"]["after"] is True
    assert finance.post(CHANGE, asked(currency="EUR", amount="0.045")).status_code == 302
    assert price_of("EUR", "flux-1.1-pro") == 45_000
    assert price_of("USD", "flux-1.1-pro") == 10_500


def test_costs_hold_from_their_date_and_are_logged(finance):
    terms = {"figure": "megapixel||", "amount": "0.041", "source": "Memo 9", "reason": "Dearer"}
    assert "0.04" in visit(finance, COSTS)
    for wrong in ({"reason": ""}, {"figure": "image||"}, {"amount": "-1"}):
        assert finance.post(COSTS, {**terms, **wrong}).status_code == 200
    refused = finance.post(COSTS, {**terms, "amount": "0.05"}).content.decode()
    assert "At this cost images would sell at a loss." in refused
    assert finance.get(f"{BOOK}/costs?route=nope").status_code == 404
    assert not PriceVersion.objects.filter(source="Memo 9").exists()

    later = (now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert finance.post(COSTS, {**terms, "active_from": later}).status_code == 302
    assert "To come" in visit(finance, COSTS)
    assert "0.041" not in visit(finance, f"{BOOK}?kind=cost&q=flux-1.1-pro")
    assert finance.post(COSTS, terms).status_code == 302
    assert "0.041" in visit(finance, f"{BOOK}?kind=cost&q=flux-1.1-pro")
    assert visit(finance, COSTS).count("Past") == 1
    assert "2.4\u00a0%" in visit(finance, f"{BOOK}?q=flux-1.1-pro")
    assert AuditEvent.objects.filter(action="cost.set", object_id__startswith="fal/").count() == 2


def test_markups_hold_from_their_date_and_are_logged(finance):
    terms = {"percent": "10", "model": "", "organization": "", "reason": "Costs", "active_from": ""}
    team = Team.open()
    assert finance.post(MARKUPS, {**terms, "reason": ""}).status_code == 200
    refused = finance.post(MARKUPS, {**terms, "percent": "-50"}).content.decode()
    assert "With this markup images would sell at a loss." in refused
    refused = finance.post(MARKUPS, {**terms, "organization": str(uuid4())}).content.decode()
    assert "There is no such organization." in refused
    assert Markup.objects.count() == 1

    later = (now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert finance.post(MARKUPS, {**terms, "active_from": later}).status_code == 302
    assert price_of("USD", "flux-1.1-pro") == 42_000
    own = {**terms, "model": "fal/flux-1.1-pro"}
    assert finance.post(MARKUPS, {**own, "percent": "25,0"}).status_code == 302
    assert price_of("USD", "flux-1.1-pro") == 50_000
    customer = {**terms, "organization": str(team.organization.id), "percent": "50"}
    assert finance.post(MARKUPS, customer).status_code == 302

    for sent in ({"percent": ""}, {"percent": "", "organization": "x"}):
        assert finance.post(MARKUPS, {**terms, **sent}).status_code == 200
    assert finance.post(MARKUPS, {**own, "percent": ""}).status_code == 302
    assert price_of("USD", "flux-1.1-pro") == 42_000

    page = visit(finance, MARKUPS)
    assert page.count("taken away") == 1
    assert page.count("To come") == 1
    assert "Acme" in page
    logged = AuditEvent.objects.filter(action="markup.changed").order_by("created_at")
    assert [line.changes["reason"]["after"] for line in logged] == ["Costs"] * 3
    assert team.last().action == "organization.markup_changed"


def test_a_euro_price_list_is_charged_as_it_stands_beside_the_platforms(finance):
    exchange("MXN", "20")
    preview = upload(finance, EUROS)
    assert "Import 3 prices?" in preview
    assert not PriceVersion.objects.filter(price_book="eur").exists()
    done = finance.post(CONFIRM, {"file": signed(preview), "reason": "New list"})
    assert done.status_code == 302

    cells = (("dall-e-3", "standard"), ("dall-e-3", "hd"), ("flux-1.1-pro", ""))
    euros = [price_of("EUR", model, quality=quality) for model, quality in cells]
    assert euros == [40_000, 80_000, 40_000]
    dollars = [price_of("USD", model, quality=quality) for model, quality in cells]
    assert dollars == [42_000, 84_000, 42_000]
    assert price_of("MXN", "flux-1.1-pro") == 840_000
    assert "eur · EUR" in visit(finance, f"{BOOK}?book=eur")


def test_what_is_confirmed_is_what_was_looked_at_and_once(finance):
    file = signed(upload(finance, EUROS))
    other = signed_in(person(staff_role="finance").user)
    for client, sent in ((other, file), (finance, f"{file}x"), (finance, "")):
        assert client.post(CONFIRM, {"file": sent, "reason": "x"})["Location"] == IMPORT
    assert finance.post(CONFIRM, {"file": file, "reason": ""}).status_code == 200
    assert not PriceVersion.objects.filter(price_book="eur").exists()

    assert finance.post(CONFIRM, {"file": file, "reason": "List"})["Location"] == BOOK
    assert finance.post(CONFIRM, {"file": file, "reason": "List"})["Location"] == IMPORT
    assert PriceVersion.objects.filter(price_book="eur").count() == 3
    changes = AuditEvent.objects.get(action="price.imported").changes
    assert changes["prices"]["after"] == 3
    assert len(changes["sha256"]["after"]) == 64


def test_a_wrong_line_is_named_and_nothing_is_written(finance):
    wrong = (
        "nope,,,USD,1,,s",
        "dall-e-3,3x3,,USD,1,,s",
        "dall-e-3,,ultra,USD,1,,s",
        "dall-e-3,,,QQQ,1,,s",
        "dall-e-3,,,USD,1e3,,s",
        "dall-e-3,,,USD,0,,s",
        "dall-e-3,,,USD,1,2020-01-01,s",
        "dall-e-3,,,USD,1,soon,s",
        "dall-e-3,,,USD,1,,",
        "flux-1.1-pro,,,USD,1,,s",
        "fal/flux-1.1-pro,,,USD,2,,s",
    )
    page = upload(
        finance, "model,size,quality,currency,amount,active_from,source\n" + "\n".join(wrong)
    )
    lines = [line for line in range(2, 13) if f">{line}</td>" in page]
    assert lines == [*range(2, 11), 12]
    assert "Nothing is written yet" not in page
    assert "This column is missing." in upload(finance, "model,amount\nx,1")
    assert "There is no such column" in upload(finance, EUROS.replace("source", "sauce", 1))
    assert (
        "no text in UTF-8"
        in finance.post(
            IMPORT, {"file": SimpleUploadedFile("x.csv", b"\xff\xfe\xfa")}
        ).content.decode()
    )


def test_a_list_that_loses_is_imported_only_when_that_is_wanted(finance):
    preview = upload(finance, EUROS.replace("0.080", "0.001"))
    assert "It would sell below what it can cost us" in preview
    terms = {"file": signed(preview), "reason": "Promotion"}
    refused = finance.post(CONFIRM, terms).content.decode()
    assert "At these prices images would sell at a loss." in refused
    assert not PriceVersion.objects.filter(price_book="eur").exists()
    assert finance.post(CONFIRM, {**terms, "allow_loss": "on"}).status_code == 302
    assert User.objects.filter(staff_role="finance").count() == 1
