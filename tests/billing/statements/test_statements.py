"""Statements say what the ledger says, once for each month, without gaps, and never change."""

import csv
import html
import io
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from pypdf import PdfReader

from billing.console.statements.files import as_csv, as_json
from billing.console.statements.pdf import as_pdf
from billing.console.statements.sheet import Sheet, make_sheet
from billing.models import Statement
from billing.selectors.statements.listing import find_statement, list_statements
from billing.services.statements.issuing import issue_due_statements, preview_statement
from orgs.models import Organization
from orgs.permissions import Permission
from tests.billing.scene import UNIT, Scene, check_deferred
from tests.billing.statements.year import add_money, charge
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

MIDNIGHT = datetime(2026, 3, 1, 6, tzinfo=UTC)
"""March begins in Mexico City."""
SECOND = timedelta(seconds=1)


@pytest.fixture
def mexican(db) -> Scene:
    """February: 10 and an image; March: two images at another rate; April: nothing."""
    scene = Scene.create(time_zone="America/Mexico_City")
    Organization.objects.filter(id=scene.organization_id).update(
        legal_name="Talleres Ñandú, S.A.", tax_id="TAÑ010101AAA", language="es"
    )
    add_money(scene, 10_000_000, at=datetime(2026, 2, 10, tzinfo=UTC))
    charge(scene, at=MIDNIGHT - SECOND)
    scene.set_rate("21.5")
    charge(scene, images=2, at=MIDNIGHT)
    return scene


def issue(scene: Scene, *, at: datetime) -> int:
    return issue_due_statements(now=at, organization_id=scene.organization_id)


def sheet_of(scene: Scene, number: int) -> Sheet:
    found = find_statement(organization_id=scene.organization_id, number=number)
    assert found is not None
    return make_sheet(found.content, digest=found.digest)


def test_months_end_in_the_organizations_zone_and_meet(mexican):
    assert issue(mexican, at=datetime(2026, 5, 2, tzinfo=UTC)) == 3

    february, march, april = (sheet_of(mexican, number) for number in (1, 2, 3))

    assert february.ends_at == march.starts_at == MIDNIGHT
    assert [one.opening_micros for one in (*february.accounts, *march.accounts)] == [0, 9_160_000]
    assert february.charged_micros == UNIT
    assert (march.images, march.charged_micros) == (2, 2 * 903_000)
    assert (april.lines, april.accounts[0].closing_micros) == ((), 9_160_000 - 1_806_000)
    assert mexican.balance()[0] == april.accounts[0].closing_micros
    assert mexican.findings() == []


def test_a_statement_waits_for_its_month_and_an_hour_and_is_issued_once(mexican):
    assert issue(mexican, at=MIDNIGHT + timedelta(minutes=59)) == 0
    assert issue(mexican, at=MIDNIGHT + timedelta(hours=1)) == 1
    assert issue(mexican, at=MIDNIGHT + timedelta(hours=2)) == 0
    [only] = list_statements(organization_id=mexican.organization_id)
    assert (only.number, only.entries) == (1, 2)


def test_a_wallet_without_entries_has_no_statement(scene):
    assert issue(scene, at=datetime(2030, 1, 1, tzinfo=UTC)) == 0
    organization = Organization.objects.get(id=scene.organization_id)
    assert preview_statement(organization=organization, now=scene.at) is None


def test_what_was_charged_is_summed_up_by_price_and_by_rate(mexican):
    issue(mexican, at=datetime(2026, 4, 2, tzinfo=UTC))

    [line] = sheet_of(mexican, 2).lines
    [rate] = sheet_of(mexican, 2).rates

    assert (line.list_amount, line.list_currency, line.markup) == (
        Decimal("0.04"),
        "USD",
        Decimal("0.05"),
    )
    assert (rate.base, rate.quote, rate.rate, rate.source) == (
        "USD",
        "MXN",
        Decimal("21.5"),
        "manual",
    )
    assert rate.micros == line.micros == 1_806_000


def test_the_running_month_adds_up_to_the_balance(mexican):
    issue(mexican, at=MIDNIGHT + timedelta(hours=1))
    organization = Organization.objects.get(id=mexican.organization_id)

    content = preview_statement(organization=organization, now=MIDNIGHT + timedelta(days=3))

    assert content is not None
    sheet = make_sheet(content)
    assert sheet.number is None
    assert sheet.accounts[0].closing_micros == mexican.balance()[0]
    assert list_statements(organization_id=mexican.organization_id)[0].number == 1


def test_an_issued_statement_cannot_change(mexican):
    issue(mexican, at=MIDNIGHT + timedelta(hours=1))
    check_deferred()
    for sql in (
        "UPDATE billing_statement SET closing_micros = 0",
        "DELETE FROM billing_statement",
        "TRUNCATE billing_statement",
    ):
        with (
            pytest.raises(IntegrityError, match="immutable"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)


@pytest.mark.parametrize(
    "change",
    [
        "content = jsonb_set(content, '{accounts,0,closing}', '1')",
        "content = jsonb_set(content, '{lines,0,images}', '7')",
        "content = jsonb_set(content, '{customer,name}', '\"Other\"')",
        "number = 5",
        "digest = '\\x00'",
    ],
)
def test_a_changed_statement_is_named(mexican, change):
    issue(mexican, at=MIDNIGHT + timedelta(hours=1))
    statement = Statement.objects.get(organization_id=mexican.organization_id)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_statement DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE billing_statement SET {change} WHERE id = %s", [statement.id])

    assert ("billing_statement", str(statement.id)) in {
        (found.table, found.row_id) for found in mexican.findings()
    }


def test_a_statement_that_went_missing_is_named(mexican):
    issue(mexican, at=datetime(2026, 4, 2, tzinfo=UTC))
    later = Statement.objects.get(organization_id=mexican.organization_id, number=2)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_statement DISABLE TRIGGER USER")
    Statement.objects.filter(organization_id=mexican.organization_id, number=1).delete()

    assert str(later.id) in {found.row_id for found in mexican.findings()}


def test_files_say_what_the_statement_says(mexican):
    issue(mexican, at=datetime(2026, 4, 2, tzinfo=UTC))
    sheet = sheet_of(mexican, 2)

    rows = list(csv.DictReader(io.StringIO(as_csv(sheet))))
    fields = json.loads(as_json(sheet))

    wallet = [row for row in rows if row["section"] == "wallet"]
    moved = sum(
        Decimal(row["amount"]) for row in wallet if row["item"] not in {"opening", "closing"}
    )
    assert Decimal(wallet[0]["amount"]) + moved == Decimal(wallet[-1]["amount"])
    assert {row["currency"] for row in rows} == {"MXN"}
    assert fields["lines"][0]["amount"] == "1.806"
    assert fields["accounts"][0]["closing"] == "7.354"
    assert fields["sha256"] == sheet.digest


def test_the_pdf_is_in_the_organizations_language_and_always_the_same(mexican):
    issue(mexican, at=datetime(2026, 4, 2, tzinfo=UTC))
    sheet = sheet_of(mexican, 2)

    drawn = as_pdf(sheet)

    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(drawn)).pages)
    for part in ("Talleres Ñandú", "TAÑ010101AAA", "marzo", "7,354", "21,5", sheet.digest[:40]):
        assert part in text, part
    assert as_pdf(sheet) == drawn


def test_a_long_statement_has_pages(mexican):
    issue(mexican, at=MIDNIGHT + timedelta(hours=1))
    found = find_statement(organization_id=mexican.organization_id, number=1)
    assert found is not None
    content = {**found.content, "lines": found.content["lines"] * 200}

    reader = PdfReader(io.BytesIO(as_pdf(make_sheet(content))))

    assert len(reader.pages) > 3
    assert all("Modelo" in page.extract_text() for page in reader.pages[:3])


@pytest.mark.usefixtures("pages")
def test_pages_show_statements_to_those_who_see_the_balance(mexican):
    issue(mexican, at=datetime(2026, 4, 2, tzinfo=UTC))
    team = Team(Organization.objects.get(id=mexican.organization_id))
    home = f"/o/{mexican.organization_id}/statements"
    client = signed_in(team.person("billing").user)

    assert "March 2026" in visit(client, home)
    page = visit(client, f"{home}/2")
    assert "7.354" in page
    # Its transactions begin with the last one of the month, after which the balance is its own.
    link = re.search(r'href="([^"]+)#transactions"', page)
    assert link is not None
    listed = visit(client, html.unescape(link[1]))
    assert re.findall(r'data-label="Balance after"[^0-9]+title="([0-9.]+)', listed)[0] == "7.354000"
    for kind, content_type in (("pdf", "application/pdf"), ("json", "application/json")):
        answer = client.get(f"{home}/2/{kind}")
        assert answer["Content-Type"] == content_type
        assert f"statement-2026-03-2.{kind}" in answer["Content-Disposition"]
    for path in (f"{home}/9", f"{home}/9/pdf", f"{home}/2/docx"):
        assert client.get(path).status_code == 404, path
    for path in (home, f"{home}/2", f"{home}/2/csv"):
        check_doors(team, path, Permission.VIEW_BALANCE)


@pytest.mark.usefixtures("pages")
def test_a_page_without_statements_says_when_one_comes(scene):
    team = Team(Organization.objects.get(id=scene.organization_id))

    page = visit(signed_in(team.person("billing").user), f"/o/{scene.organization_id}/statements")

    assert "No statements yet" in page
