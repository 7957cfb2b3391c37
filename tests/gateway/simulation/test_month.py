"""A simulated month agrees with an independent computation, and what is spoiled in it is named."""

import csv
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from billing.services.reports.account_days import count_postings
from gateway.services.reports.margin_days import count_margins
from gateway.services.rollups import roll_up
from gateway.services.simulation.month import Simulated, simulate_month
from gateway.services.verification import verify_money
from tests.recompute.__main__ import differences, main
from tests.recompute.tables import Row, Tables

# The month is played once, not by each of xdist's workers.
pytestmark = pytest.mark.xdist_group("month")
MONTH = date(2019, 5, 1)
"""Long before whatever else is in the database of tests."""
AFTER = datetime(2019, 6, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Played:
    folder: Path
    done: Simulated


@pytest.fixture(scope="module")
def played(
    django_db_setup, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    """One month for all tests; undone after them."""
    folder = tmp_path_factory.mktemp("month")
    with django_db_blocker.unblock(), transaction.atomic():
        done = simulate_month(seed=11, month=MONTH, organizations=3, generations=36, folder=folder)
        while count_postings() or count_margins() or roll_up():
            pass
        yield Played(folder, done)
        transaction.set_rollback(True)


def test_a_simulated_month_agrees_to_the_micro(played: Played, capsys: pytest.CaptureFixture[str]):
    assert main([str(played.folder)]) == 0

    assert "to the micro" in capsys.readouterr().out
    # One that paid before the month began in its zone has two.
    assert played.done.statements == 4
    spent = {(one.account, one.kind) for one in Tables(played.folder).journal}
    assert {("wallet_promo", kind) for kind in ("capture", "expiry", "reversal")} <= spent
    for happened in (
        "disputes",
        "payments paid back",
        "refunds",
        "adjustments",
        "failed",
        "grants that expired",
    ):
        assert played.done.done[happened] > 0, happened
    for organization_id in played.done.organizations:
        assert verify_money(now=AFTER, organization_id=organization_id) == []


def change(column: str, value: str) -> Callable[[list[Row], int], None]:
    def work(rows: list[Row], at: int) -> None:
        assert rows[at][column] != value
        rows[at][column] = value

    return work


def drop(rows: list[Row], at: int) -> None:
    del rows[at]


# Which row of which file, what is done to it, and a beginning that the differences then have.
SPOILED = [
    ("journal", {"account": "revenue"}, change("credit", "9.000000"), "journal: entry"),
    ("journal", {"account": "revenue"}, change("account", "breakage"), "trial balance: credit of"),
    ("journal", {"kind": "capture", "account": "wallet"}, drop, "balances:"),
    ("journal", {"kind": "attempt_cost"}, change("effective_at", "2019-05-31T23+00:00"), "margin"),
    ("trial_balance", {"account": "wallet"}, change("closing", "1.000000"), "trial balance:"),
    ("trial_balance", {"account": "fx_spread"}, drop, "trial balance: fx_spread"),
    ("statements", {"item": "capture"}, change("count", "7"), "statement "),
    ("statements", {"section": "images"}, change("amount", "0.000001"), "statement "),
    ("statements", {"item": "reversal"}, drop, "statement "),
    ("balances", {"account": "wallet"}, change("posted", "0.000001"), "balances:"),
    ("charges", {"currency": "MXN"}, change("markup", "0.06"), "charges: the unit of"),
    ("charges", {}, drop, "charges:"),
    ("prices", {"price_book": "platform"}, change("amount", "0.5"), "charges:"),
    ("rates", {"quote": "MXN"}, change("rate", "17"), "charges:"),
    ("margin", {"by": "model"}, change("revenue", "0.000001"), "margin: revenue of model"),
    ("margin", {"by": "provider"}, drop, "margin: provider"),
    ("credit_notes", {}, drop, "credit notes: refund:"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "of", "spoil", "named"), SPOILED)
def test_a_spoiled_file_is_named(
    played: Played,
    tmp_path: Path,
    name: str,
    of: Row,
    spoil: Callable[[list[Row], int], None],
    named: str,
):
    folder = tmp_path / "spoiled"
    shutil.copytree(played.folder, folder)
    path = folder / f"{name}.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    at = next(place for place, row in enumerate(rows) if row.items() >= of.items())
    spoil(rows, at)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)

    found = list(differences(folder))

    assert any(one.startswith(named) for one in found), found


CAPTURE, TOP_UP, REVERSAL = (
    f"""(
        SELECT e.id FROM billing_journalentry AS e JOIN billing_posting AS p ON p.entry_id = e.id
        JOIN billing_account AS a ON a.id = p.account_id
        WHERE a.organization_id = ANY(%(own)s) AND e.kind = '{kind}' ORDER BY e.id LIMIT 1
    )"""
    for kind in ("capture", "top_up", "reversal")
)
MINE = "organization_id = ANY(%(own)s)"
ACCOUNTS = f"(SELECT id FROM billing_account WHERE {MINE})"
REFUNDS = f"(SELECT id FROM billing_refund WHERE status = 'approved' AND {MINE})"
ENTRY = """(
    SELECT id FROM billing_journalentry
    WHERE idempotency_key = 'unmatched:' || billing_unmatchedpayment.reference
)"""
FIRST = "(SELECT min(reference) FROM billing_unmatchedpayment WHERE created_at < %(until)s)"
MORE = "amount_micros = amount_micros + 1"
GROSS = "gross_micros = gross_micros + 1, net_micros = net_micros + 1"
CLOSING = "content = jsonb_set(content, '{accounts,0,closing}', '5')"
# What is done behind the program's back, to which rows; what is then named, and by which check.
BEHIND = [
    ("billing_posting", f"entry_id = {CAPTURE} AND line = 2", "entry_id", "entry_lines"),
    ("billing_posting", f"entry_id = {TOP_UP} AND line = 2", "account_id", "balance_posted"),
    (f"billing_posting SET {MORE}", f"entry_id = {REVERSAL} AND line = 1", "id", "posting_digest"),
    ("billing_journalentry SET reference = 'x'", f"id = {TOP_UP}", "id", "entry_digest"),
    ("billing_hold SET list_unit_micros = 5", f"{MINE} AND captured_count > 0", "id", "hold_price"),
    ("billing_balance SET seq = 5000", f"account_id IN {ACCOUNTS}", "account_id", "balance_seq"),
    (f"billing_payment SET {GROSS}", f"status = 'succeeded' AND {MINE}", "id", "payment_entry"),
    (f"billing_paymentrefund SET {MORE}", "created_at < %(until)s", "refund_id", "payment_entry"),
    (f"billing_dispute SET {MORE}", "opened_at < %(until)s", "dispute_id", "payment_entry"),
    ("billing_unmatchedpayment", f"reference = {FIRST}", ENTRY, "payment_row"),
    (f"billing_unmatchedpayment SET {MORE}", f"reference = {FIRST}", "reference", "payment_entry"),
    (f"billing_refundedimage SET {MORE}", f"refund_id IN {REFUNDS}", "id", "refund_entry"),
    ("billing_creditnote SET amount_micros = 5", MINE, "number", "credit_note"),
    (f"billing_adjustment SET {MORE}", f"status = 'approved' AND {MINE}", "id", "adjustment_entry"),
    (f"billing_statement SET {CLOSING}", MINE, "id", "statement"),
    ("billing_accountday", f"account_id IN {ACCOUNTS}", "account_id", "account_day"),
    ("gateway_marginday SET micros = micros + 1", MINE, "organization_id", "rollup"),
]  # fmt: skip


def test_whatever_is_spoiled_behind_its_back_is_named(played: Played):
    own: dict[str, Any] = {"own": list(played.done.organizations), "until": AFTER}
    spoiled: list[tuple[str, set[str]]] = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for change, which, named, check in BEHIND:
                table = next(word for word in change.split() if "_" in word)
                verb = "DELETE FROM" if change == table else "UPDATE"
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                cursor.execute(f"{verb} {change} WHERE {which} RETURNING {named}", own)
                spoiled.append((check, {str(row[0]) for row in cursor.fetchall()}))
        found = {(one.check, one.row_id) for one in verify_money(now=AFTER)}
        transaction.set_rollback(True)

    for check, rows in spoiled:
        assert rows, check
        assert {(check, row) for row in rows} <= found
