"""The page on which a month is closed, and the command that closes one."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from billing.models import FxRate, PeriodClose
from core.clock import now
from gateway.models import Check, Finding
from tests.billing.periods.test_closing import IN_MARCH, book
from tests.orgs.people import person
from tests.visits import signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]
PAGE = "/finance/close"


@pytest.fixture
def finance() -> Client:
    return signed_in(person(staff_role="finance").user)


def checked(**fields) -> None:
    at = now() - timedelta(minutes=1)
    values = {"started_at": at, "finished_at": at, "error": "", "found": 0, **fields}
    Check.objects.update_or_create(name="ledger", defaults=values)
    Finding.objects.update(resolved_at=at)


def close(client: Client, month: str = "1999-03-01") -> str:
    return client.post(PAGE, {"month": month}, follow=True).content.decode()


def test_a_month_turns_green_and_is_closed(finance: Client):
    book(IN_MARCH)
    checked(started_at=datetime(1999, 3, 30, tzinfo=UTC))
    page = visit(finance, PAGE)
    assert "March 1999" in page
    assert "Not since the month ended" in page
    assert "8 of 9 done" in page
    assert "cannot be closed yet" in close(finance)
    assert "Check now" in page
    assert finance.post(f"{PAGE}/check").status_code == 302
    assert Check.objects.get(name="ledger").requested_at is not None
    checked(error="DatabaseError")
    assert "8 of 9 done" in visit(finance, PAGE)

    checked()
    page = close(finance)

    assert "March 1999 is closed" in page
    assert "April 1999" in page
    assert PeriodClose.objects.get().month == date(1999, 3, 1)
    assert PeriodClose.objects.get().digest.hex() in page
    assert "journal.csv?since=1999-03-01&amp;until=1999-03-31" in page
    assert "This month is closed" in close(finance)
    assert "the page was not whole" in close(finance, "soon")
    assert "Cerrar" in visit(signed_in(person(staff_role="finance").user, language="es"), PAGE)


def test_a_foreign_currency_is_revalued_from_the_page(finance: Client):
    book(IN_MARCH, currency="PGK")
    checked()
    page = visit(finance, PAGE)
    assert "No rate on its last day: PGK" in page
    assert "Not yet: PGK" in page
    FxRate.objects.create(
        base="USD", quote="PGK", rate=4, source="manual", as_of=IN_MARCH, created_at=now()
    )

    finance.post(f"{PAGE}/revalue", {"month": "1999-03-01"})

    assert "9 of 9 done" in visit(finance, PAGE)


def test_a_finding_of_the_ledger_keeps_a_month_open(finance: Client):
    book(IN_MARCH)
    checked()
    Finding.objects.create(
        kind="ledger.violation", severity="critical", object_type="t", object_id="1", words="w",
        first_seen_at=now(), last_seen_at=now(),
    )  # fmt: skip

    assert "1 finding is open" in visit(finance, PAGE)
    with pytest.raises(CommandError, match="ledger"):
        call_command("close_month", "--month", "1999-03")


def test_the_command_closes_a_month(capsys):
    book(IN_MARCH)
    checked()

    call_command("close_month", "--month", "1999-03", "--json")

    said = json.loads(capsys.readouterr().out)
    assert (said["month"], len(said["digest"])) == ("1999-03", 64)
    assert PeriodClose.objects.get().closed_by_label == "system"
    for month in ("1999-03", "soon"):
        with pytest.raises(CommandError):
            call_command("close_month", "--month", month)
