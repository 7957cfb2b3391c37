"""The month of UTC and the months of statements, and what lies between them."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.models import JournalEntry
from billing.selectors.reports.cutoffs import Cutoff, list_cutoffs
from billing.services.ledger import reverse_entry
from billing.services.reports.account_days import count_postings
from billing.services.statements.issuing import issue_due_statements
from core.clock import now
from tests.billing.scene import UNIT, Scene
from tests.billing.statements.year import add_money, charge
from tests.orgs.people import Team, person
from tests.visits import signed_in, visit

FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4))
PAGE = "/finance/reports/cut-offs"


def cutoff(scene: Scene, month: datetime = MARCH) -> Cutoff:
    [found] = [
        one for one in list_cutoffs(month.date()) if one.organization_id == scene.organization_id
    ]
    return found


@pytest.fixture
def mexican(db) -> Scene:
    """Six hours behind: 1, 2, 4 and 8 images around both ends of March, 16 within it."""
    scene = Scene.create(time_zone="America/Mexico_City")
    add_money(scene, 100_000_000, at=FEBRUARY + timedelta(days=5))
    hour = timedelta(hours=1)
    for images, at in (
        (1, MARCH - hour),
        (2, MARCH + hour),
        (16, MARCH + timedelta(days=10)),
        (4, APRIL - hour),
        (8, APRIL + hour),
    ):
        charge(scene, images=images, at=at)
    add_money(scene, 5_000_000, at=MARCH + timedelta(days=11))
    return scene


def test_charges_around_midnight_explain_the_difference(mexican):
    assert cutoff(mexican).statement is None
    issue_due_statements(now=APRIL + timedelta(days=2), organization_id=mexican.organization_id)

    march = cutoff(mexican)

    assert march.platform == (2 + 16 + 4) * UNIT
    # March's first hour of UTC is on February's statement, April's on March's.
    assert (march.earlier, march.later, march.before, march.after) == (2 * UNIT, 0, 0, 8 * UNIT)
    assert march.statement == (16 + 4 + 8) * UNIT
    assert march.agrees
    count_postings()
    assert cutoff(mexican) == march
    assert cutoff(mexican, FEBRUARY).agrees


def test_a_correction_is_no_charge_and_a_zone_ahead_moves_the_other_way(db):
    scene = Scene.create(time_zone="Pacific/Auckland")
    add_money(scene, 100_000_000, at=FEBRUARY)
    charge(scene, images=1, at=MARCH - timedelta(hours=1))
    charge(scene, images=2, at=APRIL - timedelta(hours=1))
    entry = JournalEntry.objects.filter(kind="capture").latest("effective_at")
    reverse_entry(entry_id=entry.id, now=APRIL - timedelta(minutes=30))
    issue_due_statements(now=APRIL + timedelta(days=2), organization_id=scene.organization_id)

    march = cutoff(scene)

    assert (march.platform, march.later, march.before) == (2 * UNIT, 2 * UNIT, UNIT)
    assert (march.statement, march.agrees) == (UNIT, True)


@pytest.mark.usefixtures("pages")
def test_finance_looks_at_cut_offs_and_takes_them_along(mexican):
    client = signed_in(person(staff_role="finance").user)
    issue_due_statements(now=APRIL + timedelta(days=2), organization_id=mexican.organization_id)

    page = visit(client, f"{PAGE}?month=2026-03")
    text = client.get(f"{PAGE}.csv?month=2026-03").getvalue().decode()

    assert "America/Mexico_City" in page
    assert "Agrees" in page
    rows = {row["organization_id"]: row for row in csv.DictReader(io.StringIO(text))}
    row = rows[str(mexican.organization_id)]
    assert (row["in_utc"], row["on_statement"]) == ("18.480000", "23.520000")
    assert "Nothing was charged in this month" in visit(client, f"{PAGE}?month=2001-01")
    assert all(client.get(f"{PAGE}?month={one}").status_code == 200 for one in ("x", "9999-12"))
    assert signed_in(Team.open().person("owner").user).get(PAGE).status_code == 404
    assert date(2026, 3, 1) < now().date()
