"""Rows changed behind the triggers' back are found, and named."""

from typing import Any

import pytest
from django.db import connection

from billing.models import Balance, Budget, BudgetPeriod, Hold, JournalEntry, Posting
from tests.billing.scene import UNIT, Scene, check_deferred

TABLES = (
    "journalentry",
    "posting",
    "hold",
    "balance",
    "priceversion",
    "markup",
    "fxrate",
    "budgetperiod",
)


@pytest.fixture
def books(scene: Scene) -> Scene:
    """Two captures, one release and one open hold, with the triggers off."""
    scene.top_up(10_000_000)
    scene.capture(scene.authorize(2).reference, images=2)
    scene.release(scene.authorize().reference)
    scene.authorize()
    scene.capture(scene.authorize().reference)
    check_deferred()
    assert scene.findings() == []
    for table in TABLES:
        tamper(f"ALTER TABLE billing_{table} DISABLE TRIGGER USER")
    return scene


def tamper(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def named(scene: Scene) -> set[tuple[str, str]]:
    return {(finding.table, finding.row_id) for finding in scene.findings()}


def captures(scene: Scene) -> list[JournalEntry]:
    return list(
        JournalEntry.objects.filter(
            kind="capture", postings__account__organization_id=scene.organization_id
        )
        .distinct()
        .order_by("booked_at")
    )


def holds(scene: Scene, status: str) -> list[Hold]:
    return list(
        Hold.objects.filter(organization_id=scene.organization_id, status=status).order_by(
            "authorized_at"
        )
    )


def wallet(scene: Scene) -> Balance:
    return Balance.objects.get(
        account__organization_id=scene.organization_id, account__code="wallet"
    )


@pytest.mark.parametrize(
    "change",
    [
        "amount_micros = amount_micros + 1",
        "direction = CASE direction WHEN 'debit' THEN 'credit' ELSE 'debit' END",
        "reference = 'other'",
        "currency = 'EUR'",
        "line = line + 50",
    ],
)
@pytest.mark.parametrize("line", [1, 2, 3, 4])
def test_a_changed_posting_is_named(books, change, line):
    posting = captures(books)[1].postings.get(line=line)

    tamper(f"UPDATE billing_posting SET {change} WHERE id = %s", posting.id)

    assert ("billing_posting", str(posting.id)) in named(books)


def test_a_posting_with_a_recomputed_digest_is_still_found_in_its_entry(books):
    entry = captures(books)[0]
    posting = entry.postings.get(line=1)
    tamper("UPDATE billing_posting SET amount_micros = 1, digest = '' WHERE id = %s", posting.id)
    posting.refresh_from_db()

    assert ("billing_journalentry", str(entry.id)) in named(books)


@pytest.mark.parametrize(
    "change", ["chain_hash = '\\x00'", "chain_seq = chain_seq + 100", "account_id = %(other)s"]
)
def test_a_changed_link_is_named(books, change):
    posting = captures(books)[0].postings.get(line=1)
    other = posting.entry.postings.get(line=2).account_id
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE billing_posting SET {change} WHERE id = %(id)s",
            {"id": posting.id, "other": other},
        )

    assert ("billing_posting", str(posting.id)) in named(books)


@pytest.mark.parametrize(
    "change",
    [
        "reference = 'other'",
        "description = 'other'",
        "idempotency_key = 'other'",
        "kind = 'adjustment'",
        "booked_at = booked_at + interval '1 microsecond'",
        "effective_at = effective_at - interval '1 day'",
        "digest = '\\x00'",
    ],
)
def test_a_changed_entry_is_named(books, change):
    entry = captures(books)[0]

    tamper(f"UPDATE billing_journalentry SET {change} WHERE id = %s", entry.id)

    assert ("billing_journalentry", str(entry.id)) in named(books)


def test_amounts_swapped_between_two_entries_are_named(books):
    first, second = captures(books)
    rows = [entry.postings.get(line=1) for entry in (first, second)]
    tamper("UPDATE billing_posting SET amount_micros = 5 WHERE id = %s", rows[0].id)
    tamper("UPDATE billing_posting SET amount_micros = 5 WHERE id = %s", rows[1].id)

    assert {("billing_posting", str(row.id)) for row in rows} <= named(books)


def test_whole_entries_exchanged_in_the_chain_are_named(books):
    rows = [entry.postings.get(line=1) for entry in captures(books)]
    for row, other in (rows, rows[::-1]):
        tamper(
            "UPDATE billing_posting SET chain_seq = %s, chain_hash = %s WHERE id = %s",
            other.chain_seq,
            other.chain_hash,
            row.id,
        )

    assert {("billing_posting", str(row.id)) for row in rows} <= named(books)


@pytest.mark.parametrize("index", [0, 1])
def test_a_deleted_entry_is_missed_by_its_balance_or_chain_and_its_hold(books, index):
    entry = captures(books)[index]
    hold = Hold.objects.get(reference=entry.reference)
    tamper("DELETE FROM billing_posting WHERE entry_id = %s", entry.id)
    tamper("DELETE FROM billing_journalentry WHERE id = %s", entry.id)

    found = named(books)

    assert ("billing_hold", str(hold.id)) in found
    assert ("billing_balance", str(wallet(books).account_id)) in found
    assert ("chain_gap" in {finding.check for finding in books.findings()}) == (index == 0)


def test_deleted_postings_are_missed_by_their_entry(books):
    entry = captures(books)[0]
    tamper("DELETE FROM billing_posting WHERE entry_id = %s AND line > 2", entry.id)

    assert ("billing_journalentry", str(entry.id)) in named(books)


@pytest.mark.parametrize(
    "change",
    [
        "posted_micros = posted_micros + 1",
        "held_micros = held_micros - 1",
        "seq = seq + 1",
        "head = sha256(head)",
    ],
)
def test_a_changed_balance_is_named(books, change):
    row = wallet(books)

    tamper(f"UPDATE billing_balance SET {change} WHERE account_id = %s", row.account_id)

    assert named(books) == {("billing_balance", str(row.account_id))}


def test_a_deleted_balance_is_named(books):
    account_id = wallet(books).account_id
    tamper("DELETE FROM billing_balance WHERE account_id = %s", account_id)

    assert ("billing_balance", str(account_id)) in named(books)


@pytest.mark.parametrize("status", ["authorized", "captured", "released"])
@pytest.mark.parametrize(
    "change",
    [
        (
            "unit_micros = unit_micros + 1, amount_micros = (unit_micros + 1) * count,"
            " captured_micros = (unit_micros + 1) * captured_count"
        ),
        "count = count + 1, amount_micros = unit_micros * (count + 1)",
        "list_unit_micros = 1",
        "list_amount = 1",
        "markup = 0",
        "rate = 1",
        "pixels = 7",
        "markup_version_id = NULL",
        "fx_rate_id = NULL",
        "api_key_id = NULL",
        "reference = 'other'",
        "currency = 'EUR'",
        "list_currency = 'EUR'",
        "budget_period = '2020-01-01'",
        "deadline_at = deadline_at + interval '1 hour'",
        "authorized_at = authorized_at - interval '1 hour'",
        "closed_at = closed_at - interval '1 second', digest = sha256(digest)",
    ],
)
def test_changed_terms_of_a_hold_are_named(books, status, change):
    hold = holds(books, status)[0]

    tamper(f"UPDATE billing_hold SET {change} WHERE id = %s", hold.id)

    assert ("billing_hold", str(hold.id)) in named(books)


@pytest.mark.parametrize(
    ("status", "change"),
    [
        ("authorized", "status = 'released', closed_at = now()"),
        ("released", "status = 'authorized', closed_at = NULL"),
        (
            "released",
            "status = 'captured', captured_count = count, captured_micros = amount_micros",
        ),
        ("captured", "status = 'released', captured_count = 0, captured_micros = 0"),
        ("captured", "captured_count = 1, captured_micros = unit_micros"),
        (
            "captured",
            "status = 'authorized', captured_count = 0, captured_micros = 0, closed_at = NULL",
        ),
    ],
)
def test_a_changed_outcome_of_a_hold_is_named(books, status, change):
    hold = holds(books, status)[0]

    tamper(f"UPDATE billing_hold SET {change} WHERE id = %s", hold.id)

    assert ("billing_hold", str(hold.id)) in named(books)


def test_a_deleted_hold_is_missed_by_its_entry_and_budget(books):
    hold = holds(books, "captured")[0]
    entry = JournalEntry.objects.get(reference=hold.reference)
    tamper("DELETE FROM billing_hold WHERE id = %s", hold.id)

    found = named(books)

    assert ("billing_journalentry", str(entry.id)) in found
    periods = BudgetPeriod.objects.filter(budget__organization_id=books.organization_id)
    assert {("billing_budgetperiod", str(period.id)) for period in periods} <= found


@pytest.mark.parametrize(
    ("table", "column"), [("priceversion", "amount"), ("markup", "rate"), ("fxrate", "rate")]
)
def test_a_changed_price_markup_or_rate_is_seen_in_the_holds_it_made(books, table, column):
    hold = holds(books, "captured")[0]
    row_id = {
        "priceversion": hold.price_version_id,
        "markup": hold.markup_version_id,
        "fxrate": hold.fx_rate_id,
    }[table]
    tamper(f"UPDATE billing_{table} SET {column} = {column} * 2 WHERE id = %s", row_id)

    assert ("billing_hold", str(hold.id)) in named(books)


@pytest.mark.parametrize("change", ["held_micros = 0", "captured_micros = captured_micros + 1"])
def test_a_changed_budget_period_is_named(books, change):
    budget = Budget.objects.get(organization_id=books.organization_id, api_key=None)
    period = BudgetPeriod.objects.get(budget=budget)

    tamper(f"UPDATE billing_budgetperiod SET {change} WHERE id = %s", period.id)

    assert named(books) == {("billing_budgetperiod", str(period.id))}


def test_other_organizations_are_not_reported(books):
    other = Scene.create()
    other.top_up(UNIT)
    account_id = wallet(other).account_id
    tamper("UPDATE billing_balance SET posted_micros = 0 WHERE account_id = %s", account_id)

    assert books.findings() == []
    assert ("billing_balance", str(account_id)) in named(other)
    assert Posting.objects.filter(account_id=account_id).exists()
