"""Usage in the console: every figure is the sum of the rows it leads to."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from billing.selectors.budgets import get_budgets
from gateway.selectors.charges import Charge, ChargeFilters, list_charges
from gateway.selectors.figures import Scope, spend_by, totals_by
from gateway.selectors.pages import Place
from gateway.selectors.rollups import NO_KEY
from gateway.services.rollups import roll_up
from orgs.models import Organization
from orgs.permissions import Permission
from orgs.services.audit import SYSTEM
from orgs.services.organizations import add_member
from tests.gateway.services.rows import add_generation, open_key
from tests.gateway.services.test_rollups import charge
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]
NOON = datetime(2026, 10, 15, 12, tzinfo=UTC)
PERIOD = "since=2026-10-14&until=2026-10-20"


@pytest.fixture
def key():
    """A key with charges of three models, two users and five days, half of them counted."""
    key = open_key()
    for number in range(6):
        model, user = f"m{number % 3}", ("", "ana", "=1+1")[number % 3]
        charge(key, NOON + timedelta(days=number % 5, minutes=number), model=model, user=user)
        if number == 2:
            while roll_up():
                pass
    add_generation(key, status="failed", error={"code": "a"}, model="m0", finished_at=NOON)
    return key


def owner_of(key):
    return signed_in(Team(Organization.objects.get(id=key.organization_id)).person("owner").user)


def all_charges(scope: Scope, month: date | None = None):
    place: Place | None = None
    found: list[Charge] = []
    while True:
        page = list_charges(filters=ChargeFilters(scope, month), limit=2, after=place)
        found += page.charges
        place = page.next_place
        if place is None:
            return found


@pytest.mark.parametrize("by", ["model", "api_key_id", "user"])
def test_every_figure_is_the_sum_of_the_charges_it_leads_to(by, key):
    scope = Scope(key.organization_id, "UTC", date(2026, 10, 14), date(2026, 10, 20))
    groups = totals_by(scope, by=by)

    assert sum(one.micros for one in groups) == 6 * 42_000
    for one in groups:
        filters: dict[str, Any] = {by: key.id if by == "api_key_id" else one.group}
        own = replace(scope, **filters)
        rows = all_charges(own)
        assert len({row.generation_id for row in rows}) == len(rows) == one.requests
        assert sum(row.amount_micros for row in rows) == one.micros
        assert sum(row.images for row in rows) == one.images
        days = [row.micros for row in spend_by(scope, by=by) if row.group == one.group]
        assert sum(days) == one.micros
    assert all_charges(replace(scope, api_key_id=UUID(NO_KEY))) == []


def test_charges_of_a_month_are_what_its_budgets_counted(key):
    month = date(2026, 10, 1)
    # Authorized in October, charged in November.
    charge(key, datetime(2026, 11, 1, 0, 0, 2, tzinfo=UTC), model="m0")
    scope = Scope(key.organization_id, "UTC", month, date(2026, 10, 31))

    budgets = get_budgets(organization_id=key.organization_id, month=month)

    assert sum(row.amount_micros for row in all_charges(scope, month)) == 7 * 42_000
    assert budgets.own.captured_micros == budgets.of_key(key.id).captured_micros == 7 * 42_000
    path = f"/o/{key.organization_id}/usage/charges?month=2026-10&key={key.id}"
    page = visit(owner_of(key), path)
    assert "0.294 <span" in page
    assert page.count("<tr>") - 1 == 7


def test_page_leads_from_each_sum_to_its_rows(key):
    client, path = owner_of(key), f"/o/{key.organization_id}/usage"

    page = visit(client, f"{path}?{PERIOD}&by=user")

    assert page.count("0.252 <span") == 2
    links = set(re.findall(r'href="([^"]*/usage/charges\?[^"]+)"', page))
    assert len(links) == 4
    sums = []
    for link in links:
        rows = visit(client, link.replace("&amp;", "&"))
        sums += re.findall(r"tile-figure.*?>([\d.]+) <span", rows, re.DOTALL)
    assert sorted(sums) == ["0.084", "0.084", "0.084", "0.252"]
    assert '"name": "ana"' in page
    by_model = visit(client, f"{path}?{PERIOD}&by=model")
    assert "85 %" in by_model
    assert "1 failed" in by_model
    assert visit(client, f"{path}?{PERIOD}&model=m1&by=api_key_id").count("0.084 <span") == 3


def test_page_compares_with_as_many_days_before(key):
    client, path = owner_of(key), f"/o/{key.organization_id}/usage"

    page = visit(client, f"{path}?since=2026-10-17&until=2026-10-18")

    table = page[page.index('id="changes"') :].replace("\N{MINUS SIGN}", "-")
    first = table[table.index("<tbody>") : table.index("</tr>", table.index("<tbody>"))]
    assert ">m1<" in first
    assert re.findall(r">(-?[\d.]+) <span", first) == ["0.042", "0.00", "-0.042"]
    assert "since=2026-10-15&amp;until=2026-10-16&amp;model=m1" in first
    assert "100 % → —" in first
    assert "50 % → 100 %" in table
    sums = re.findall(r">(-?[\d.]+) <span", table[table.index("<tfoot>") :])
    assert sums == ["0.126", "0.084", "-0.042"]
    assert 'id="changes"' not in visit(client, f"{path}?{PERIOD}")


def test_page_charts_times_of_each_model(key):
    for number in range(3):
        charge(key, NOON - timedelta(days=2 - number, minutes=7), model="m1")
    client, path = owner_of(key), f"/o/{key.organization_id}/usage"

    page = visit(client, f"{path}?since=2026-10-13&until=2026-10-19")

    charts = {
        name: json.loads(text)
        for name, text in re.findall(r'<script id="(\w+)"[^>]*>(.*?)</script>', page)
    }
    assert charts["success"]["series"][0]["values"][:3] == [100.0, 100.0, 75.0]
    for name in ("half", "most"):
        series = {one["name"]: one["values"] for one in charts[name]["series"]}
        assert next(iter(series)) == "m1"
        assert set(series) == {"m0", "m1", "m2"}
        assert series["m1"][0] == pytest.approx(5, rel=0.2)
        assert series["m0"][0] is None


def test_file_has_a_line_a_day_and_no_formula(key):
    answer = owner_of(key).get(f"/o/{key.organization_id}/usage/csv?{PERIOD}&by=user")

    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == 6
    assert {row["user"] for row in rows} == {"", "ana", "'=1+1"}
    assert {row["amount"] for row in rows} == {"0.042"}


def test_test_keys_have_figures_without_money(key):
    add_generation(key, livemode=False, status="succeeded", model="t0", finished_at=NOON)
    client = owner_of(key)
    client.post("/accounts/mode", {"livemode": "0"})

    page = visit(client, f"/o/{key.organization_id}/usage?{PERIOD}")

    # Alone: the page has random letters, too.
    assert ">t0<" in page
    assert ">m0<" not in page
    assert "/usage/charges" not in page


@pytest.mark.parametrize(
    "query",
    [
        "since=x",
        "since=2026-10-20&until=2026-10-14",
        "since=2000-01-01",
        "key=1&by=z",
        "month=9",
        "month=9999-12",
        "since=9999-12-31&until=9999-12-31",
        "since=0001-01-01&until=0001-01-01",
    ],
)
def test_a_broken_address_shows_the_usual_period(query, key):
    client, path = owner_of(key), f"/o/{key.organization_id}/usage"

    assert visit(client, f"{path}?{query}")
    visit(client, f"{path}/charges?{query}&cursor=x")


def test_who_sees_usage():
    team = Team.open()
    path = f"/o/{team.organization.id}/usage"

    for page in (path, f"{path}/csv", f"{path}/charges"):
        check_doors(team, page, Permission.VIEW_USAGE)
    owner = signed_in(team.person("owner").user)
    assert "Nothing in this period" in visit(owner, path)
    assert "Nothing was charged" in visit(owner, f"{path}/charges")
    other = open_key()
    charge(other, NOON, model="secret")
    assert "secret" not in visit(owner, f"{path}?{PERIOD}&key={other.id}")
    add_member(
        organization=other.organization,
        user=(viewer := team.person("viewer").user),
        role="viewer",
        actor=SYSTEM,
    )
    charges = f"/o/{other.organization_id}/usage/charges?{PERIOD}"
    assert "/billing/requests/" not in visit(signed_in(viewer), charges)
