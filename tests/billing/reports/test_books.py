"""What finance reads of the books equals the postings, down from every sum to its entries."""

import csv
import io
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from openpyxl import load_workbook

from billing.models import DEBIT_KINDS, AccountCode, Direction, EntryKind, Posting
from billing.services.accounts import account
from billing.services.ledger import post_entry, reverse_entry
from billing.services.reports.account_days import count_postings
from billing.types import Line
from core.clock import now
from tests.billing.scene import UNIT, Scene
from tests.moments import today
from tests.orgs.people import Team, person
from tests.visits import signed_in, visit

REPORTS = "/finance/reports"


def first() -> date:
    """Return the first day of the reports asked for here; the last is today."""
    return today() - timedelta(days=20)


def lately() -> str:
    return f"?since={first()}&until={today()}"


@pytest.fixture
def finance(db, pages) -> Client:
    return signed_in(person(staff_role="finance").user)


def adjust(scene: Scene, number: int, amount: int, effective_at: datetime) -> None:
    wallet = account(AccountCode.WALLET, "MXN", scene.organization_id)
    post_entry(
        kind=EntryKind.ADJUSTMENT,
        idempotency_key=f"{scene.organization_id}:{number}",
        lines=[
            Line(account(AccountCode.REFUNDS, "MXN"), Direction.DEBIT, amount),
            Line(wallet, Direction.CREDIT, amount),
        ],
        now=now(),
        effective_at=effective_at,
    )


def live(seed: int, scene: Scene) -> None:
    """Book what may happen on forty days, in an order and of amounts that a seed decides."""
    chance = random.Random(seed)
    scene.top_up(50 * UNIT)
    for number in range(12):
        capture = scene.capture(scene.authorize(chance.randint(1, 3)).reference)
        if chance.random() < 0.3:
            reverse_entry(entry_id=capture.entry_id, now=now())
        back = timedelta(days=chance.randint(0, 40))
        adjust(scene, number, chance.randint(1, 10**6), now() - back)
        if chance.random() < 0.4:
            count_postings(limit=chance.randint(1, 20))


def recomputed() -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """Add every posting up by hand: opening, debit, credit and closing."""
    sums: Counter[tuple[str, str, str]] = Counter()
    sides = {}
    for posting in Posting.objects.select_related("account", "entry"):
        day = posting.entry.effective_at.astimezone(UTC).date()
        key = posting.account.code, posting.account.currency
        if day > today():
            continue
        sign = 1 if posting.direction == Direction.DEBIT else -1
        sides[key] = 1 if posting.account.kind in DEBIT_KINDS else -1
        if day < first():
            sums[(*key, "opening")] += sign * posting.amount_micros
        else:
            sums[(*key, posting.direction)] += posting.amount_micros
    found = {}
    for key, side in sides.items():
        opening = side * sums[(*key, "opening")]
        debit, credit = sums[(*key, "debit")], sums[(*key, "credit")]
        found[key] = (opening, debit, credit, opening + side * (debit - credit))
    return found


def read_csv(client: Client, path: str) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200, path
    text = answer.getvalue().decode()
    return list(csv.DictReader(io.StringIO(text)))


def read_xlsx(client: Client, path: str) -> list[tuple[object, ...]]:
    answer = client.get(path)
    assert answer.status_code == 200, path
    content = answer.getvalue()
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    return list(sheet.iter_rows(values_only=True))


def micros(text: str) -> int:
    return int(Decimal(text or "0") * 10**6)


def test_the_trial_balance_is_what_its_postings_sum_to(scene: Scene, finance: Client):
    live(7, scene)
    due = recomputed()

    rows = read_csv(finance, f"{REPORTS}/trial-balance.csv{lately()}")

    figures = ("opening", "debit", "credit", "closing")
    said = {
        (row["account"], row["currency"]): tuple(micros(row[name]) for name in figures)
        for row in rows
    }
    assert said == due
    page = visit(finance, f"{REPORTS}{lately()}")
    assert "Both sides agree" in page
    assert "The sides differ" not in page


def test_a_sum_leads_to_days_these_to_postings_and_these_to_entries(scene: Scene, finance: Client):
    live(11, scene)
    opening, debit, credit, closing = recomputed()["refunds", "MXN"]

    days = read_csv(finance, f"{REPORTS}/accounts/refunds/MXN/days.csv{lately()}")
    journal = read_csv(finance, f"{REPORTS}/journal.csv{lately()}")

    assert sum(micros(row["debit"]) for row in days) == debit
    assert micros(days[-1]["balance"]) == closing == opening + debit - credit
    mine = [row for row in journal if (row["account"], row["currency"]) == ("refunds", "MXN")]
    for row in days:
        of_day = [one for one in mine if one["effective_at"].startswith(row["date"])]
        assert len(of_day) == int(row["postings"])
        assert sum(micros(one["debit"]) for one in of_day) == micros(row["debit"])
    assert "Refunds · MXN" in visit(finance, f"{REPORTS}/accounts/refunds/MXN{lately()}")
    listed = visit(finance, f"{REPORTS}/accounts/refunds/MXN/postings{lately()}")
    assert listed.count("/finance/reports/entries/") == min(len(mine), 50)
    entry = visit(finance, f"{REPORTS}/entries/{mine[0]['entry']}")
    assert "Wallets" in entry
    assert mine[0]["key"] in entry


def test_the_journal_of_a_period_is_whole_and_paged(scene: Scene, finance: Client):
    day = datetime(1999, 1, random.randint(2, 30), 12, tzinfo=UTC)
    before = Posting.objects.filter(entry__effective_at__date=day.date()).count()
    for number in range(40):
        adjust(scene, number, 1 + number, day)

    journal = f"{REPORTS}/journal"
    period = f"?since={day.date()}&until={day.date()}"
    rows = read_csv(finance, f"{journal}.csv{period}")

    assert len({(row["entry"], row["line"]) for row in rows}) == len(rows) == before + 80
    seen, path = 0, f"{journal}{period}"
    while path:
        page = visit(finance, path)
        seen += page.count("/finance/reports/entries/")
        after = page.partition('rel="next" href="')[2].partition('"')[0]
        path = f"{journal}{after}".replace("&amp;", "&") if after else ""
    assert seen == before + 80


def test_workbooks_have_numbers_and_dates(scene: Scene, finance: Client):
    live(5, scene)

    heading, *rows = read_xlsx(finance, f"{REPORTS}/trial-balance.xlsx{lately()}")
    _, *lines = read_xlsx(finance, f"{REPORTS}/journal.xlsx{lately()}")

    assert heading[:3] == ("from", "to", "account")
    said = {(row[2], row[4]): row[8] for row in rows}
    assert all(isinstance(row[0], datetime) for row in rows)
    for key, (*_, closing) in recomputed().items():
        found = said[key]
        assert isinstance(found, int | float)
        assert round(found * 10**6) == closing
    assert all(isinstance(line[0], datetime) and isinstance(line[3], int) for line in lines)
    assert all(isinstance(line[10] or line[11], int | float) for line in lines)


def test_a_period_that_cannot_be_is_said_and_an_unknown_account_is_not_found(finance: Client):
    page = visit(finance, f"{REPORTS}?since={today()}&until={first()}")
    empty = visit(finance, f"{REPORTS}?since=1999-01-01&until=1999-01-31")

    assert "The period ends before it begins." in page
    assert "Nothing is booked up to then" in empty
    for path in ("accounts/wallet/XXX", "accounts/x/MXN/postings", "journal.pdf"):
        assert finance.get(f"{REPORTS}/{path}").status_code == 404
    assert finance.get(f"{REPORTS}/journal?cursor=x_y_z").status_code == 200


def test_reports_do_not_exist_for_others(db, pages):
    team = Team.open()
    people = (team.person("owner"), person(), person(staff_role="operator"))
    for client in (signed_in(one.user) for one in people):
        for path in ("", "/trial-balance.csv", "/journal", "/journal.xlsx"):
            assert client.get(f"{REPORTS}{path}").status_code == 404


def test_the_prepaid_liability_rolls_forward_to_the_trial_balance(scene: Scene, finance: Client):
    live(29, scene)
    due: Counter[str] = Counter()
    period = Posting.objects.filter(
        account__code="wallet",
        account__currency="MXN",
        entry__effective_at__gte=datetime.combine(first(), datetime.min.time(), UTC),
    )
    for posting in period.select_related("entry"):
        sign = 1 if posting.direction == Direction.CREDIT else -1
        due[posting.entry.kind] += sign * posting.amount_micros
    opening, _, _, closing = recomputed()["wallet", "MXN"]

    rows = read_csv(finance, f"{REPORTS}/liability.csv{lately()}")

    said = {
        row["item"]: micros(row["amount"])
        for row in rows
        if (row["account"], row["currency"]) == ("wallet", "MXN")
    }
    assert said.pop("opening") == opening
    assert said.pop("closing") == closing
    assert said == {kind: change for kind, change in due.items() if change}
    assert opening + sum(said.values()) == closing
    assert "Wallets · MXN" in visit(finance, f"{REPORTS}/liability{lately()}")


def test_open_holds_are_listed_by_age(scene: Scene, finance: Client):
    scene.top_up(50 * UNIT)
    old = scene.authorize(2, at=now() - timedelta(minutes=59)).reference
    young = scene.authorize(1).reference

    page = visit(finance, f"{REPORTS}/holds")
    of_an_hour = visit(finance, f"{REPORTS}/holds?age=hour")
    rows = {row["reference"]: row for row in read_csv(finance, f"{REPORTS}/holds.csv")}

    assert "Up to an hour" in page
    assert old in of_an_hour
    assert young not in of_an_hour
    assert "Past the deadline" in of_an_hour
    assert micros(rows[old]["amount"]) == 2 * UNIT
    assert micros(rows[young]["amount"]) == UNIT
