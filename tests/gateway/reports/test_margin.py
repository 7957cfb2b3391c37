"""The report of margins equals the postings, whatever it is grouped by, down to each of them."""

import csv
import io
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.test import Client
from openpyxl import load_workbook

from billing.models import JournalEntry, Posting
from core.clock import now
from gateway.models import Attempt, Generation
from gateway.services.reports.margin_days import count_margins
from orgs.models import ApiKey
from tests.gateway.reports.test_margin_days import sell
from tests.gateway.services.rows import open_key
from tests.gateway.services.test_rollups import charge
from tests.moments import today
from tests.orgs.people import Team, person
from tests.visits import signed_in, visit

REPORT = "/finance/reports/margin"
SIGNS = {"revenue": ("credit", 1), "provider_cost": ("debit", -1)}


def lately() -> str:
    """Return the query of all days on which something is sold here."""
    return f"?since={today() - timedelta(days=30)}&until={today()}"


@pytest.fixture
def finance(db, pages) -> Client:
    return signed_in(person(staff_role="finance").user)


def recomputed(key: ApiKey) -> Counter[tuple[str, str]]:
    """Add an organization's postings up by hand: micros by account and group."""
    sums: Counter[tuple[str, str]] = Counter()
    made = Generation.objects.filter(organization_id=key.organization_id)
    calls = Attempt.objects.filter(generation__in=made)
    references = [str(one.id) for rows in (made, calls) for one in rows]
    wanted = Posting.objects.filter(account__code__in=SIGNS, entry__reference__in=references)
    for posting in wanted.select_related("account", "entry"):
        entry: JournalEntry = posting.entry
        code = posting.account.code
        if code == "provider_cost":
            attempt = Attempt.objects.get(id=entry.reference)
            generation, provider = attempt.generation, attempt.provider
        else:
            generation = Generation.objects.get(id=entry.reference)
            provider = generation.attempts.get(status="succeeded").provider
        sign = 1 if posting.direction == SIGNS[code][0] else -1
        for group in (
            str(entry.effective_at.astimezone(UTC).date()),
            generation.model,
            provider,
            str(generation.organization_id),
            posting.currency,
        ):
            sums[code, group] += sign * posting.amount_micros
    return sums


def rows_of(client: Client, key: ApiKey, by: str) -> list[dict[str, str]]:
    own = f"organization={key.organization_id}"
    text = client.get(f"{REPORT}.csv{lately()}&by={by}&{own}").getvalue().decode()
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("counted", [3, 10_000])
def test_figures_are_those_of_the_postings_whatever_they_are_grouped_by(finance: Client, counted):
    chance = random.Random(23)
    keys = [open_key() for _ in range(2)]
    for _ in range(14):
        sell(chance.choice(keys), chance)
    count_margins(limit=counted)
    due = recomputed(keys[0])

    for by in ("day", "model", "provider", "organization", "currency"):
        column = "organization_id" if by == "organization" else by
        rows = rows_of(finance, keys[0], by)
        for row in rows:
            group = row[column]
            assert int(Decimal(row["revenue"]) * 10**6) == due["revenue", group]
            assert int(Decimal(row["cost"]) * 10**6) == due["provider_cost", group]
            margin = Decimal(row["revenue"]) + Decimal(row["exchange_spread"])
            assert Decimal(row["margin"]) == margin - Decimal(row["cost"])
        assert sum(Decimal(row["cost"]) for row in rows) * 10**6 == due["provider_cost", "USD"]


def test_every_figure_leads_to_its_postings(finance: Client):
    chance = random.Random(5)
    key = open_key()
    for _ in range(9):
        sell(key, chance)
    due = recomputed(key)
    own = f"{lately()}&organization={key.organization_id}&currency=USD"

    page = visit(finance, f"{REPORT}{lately()}&by=organization")
    by_model = visit(finance, f"{REPORT}{own}&by=model")
    costs = visit(finance, f"{REPORT}/provider_cost{own}")
    of_bfl = visit(finance, f"{REPORT}/provider_cost{own}&provider=bfl")

    assert f"{REPORT}/revenue{own}".replace("&", "&amp;") in page
    assert "google/imagen-4" in by_model
    assert 'data-chart="margin"' in by_model
    assert costs.count("/finance/reports/entries/") == 18
    assert of_bfl.count("/finance/reports/entries/") == 9
    shown = f"{Decimal(due['provider_cost', 'USD']) / 10**6:.6f} USD"
    assert shown in costs


def test_workbooks_of_margins_have_numbers_and_dates(finance: Client):
    sell(open_key(), random.Random(2))

    content = finance.get(f"{REPORT}.xlsx{lately()}&by=day").getvalue()
    sheet = load_workbook(io.BytesIO(content)).active

    assert sheet is not None
    heading, row, *_ = sheet.iter_rows(values_only=True)
    assert heading[0] == "day"
    assert isinstance(row[0], datetime)
    assert all(isinstance(cell, int | float) for cell in row[2:])


def test_margins_do_not_exist_for_others_and_odd_addresses_are_borne(finance: Client):
    team = Team.open()
    for who in (team.person("owner"), person(), person(staff_role="operator")):
        for path in ("", ".csv", "/revenue"):
            assert signed_in(who.user).get(f"{REPORT}{path}").status_code == 404
    assert finance.get(f"{REPORT}/cash").status_code == 404
    assert finance.get(f"{REPORT}.pdf").status_code == 404
    page = visit(finance, f"{REPORT}?since=2001-01-01&until=2001-02-01&by=x&organization=y")
    assert "Nothing was sold in this period" in page


def test_attempts_that_delivered_nothing_are_summed_and_listed(finance: Client):
    chance = random.Random(8)
    model = f"test/{chance.getrandbits(60)}"
    key = open_key()
    for _ in range(6):
        sell(key, chance, model=model)
    lost = Attempt.objects.filter(generation__model=model, status="failed")
    due = sum(attempt.cost_micros for attempt in lost)
    report = "/finance/reports/losses"

    text = finance.get(f"{report}.csv{lately()}&model={model}").getvalue().decode()
    [row] = csv.DictReader(io.StringIO(text))
    page = visit(finance, f"{report}{lately()}&model={model}&provider=bfl&status=failed")
    of_another = visit(finance, f"{report}{lately()}&model={model}&status=late")

    assert (row["provider"], row["outcome"], row["attempts"]) == ("bfl", "failed", "6")
    assert int(Decimal(row["cost"]) * 10**6) == due
    assert page.count("/finance/reports/entries/") == 6
    assert "Every attempt that cost money delivered" in of_another


def test_the_overview_is_of_this_month_and_leads_to_reports(finance: Client):
    charge(open_key(), now())
    own = f"since={today().replace(day=1)}&amp;until={today()}"

    page = visit(finance, "/finance/overview")
    finance.cookies[settings.LANGUAGE_COOKIE_NAME] = "es"
    spanish = visit(finance, "/finance/overview")

    for path in (f"margin?{own}", f"liability?{own}"):
        assert f"/finance/reports/{path}" in page
    assert "Margen" in spanish
