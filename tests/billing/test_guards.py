"""The database refuses what no service would do."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from billing.models import AccountCode, JournalEntry, Posting
from billing.services.accounts import account
from core.clock import now
from tests.billing.scene import UNIT, check_deferred

CASH = account(AccountCode.CASH, "USD")
REVENUE = account(AccountCode.REVENUE, "USD")


def run(sql: str, params: list[Any] | None = None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


def new_entry(lines: int = 2) -> JournalEntry:
    return JournalEntry.objects.create(
        id=uuid4(),
        kind="adjustment",
        idempotency_key=uuid4().hex,
        effective_at=now(),
        booked_at=now(),
        lines=lines,
        digest=b"",
    )


def add_posting(entry: JournalEntry, line: int, direction: str, amount: int, **other) -> Posting:
    fields = {"account_id": CASH.id, "currency": "USD", "digest": b"", **other}
    return Posting.objects.create(
        entry=entry, line=line, direction=direction, amount_micros=amount, **fields
    )


def test_a_balanced_entry_is_accepted(db):
    entry = new_entry()
    add_posting(entry, 1, "debit", 5)
    add_posting(entry, 2, "credit", 5, account_id=REVENUE.id)

    check_deferred()


def test_an_entry_without_postings_is_refused(db):
    new_entry()

    with pytest.raises(DatabaseError, match="0 postings"):
        check_deferred()


def test_an_entry_of_one_line_is_refused(db):
    with pytest.raises(DatabaseError, match="billing_entry_two_lines"):
        new_entry(lines=1)


def test_an_unbalanced_entry_is_refused(db):
    entry = new_entry()
    add_posting(entry, 1, "debit", 5)
    add_posting(entry, 2, "credit", 6, account_id=REVENUE.id)

    with pytest.raises(DatabaseError, match="does not balance in USD"):
        check_deferred()


def test_an_entry_that_balances_only_across_currencies_is_refused(scene):
    entry = new_entry()
    add_posting(entry, 1, "debit", 5)
    pesos = account(AccountCode.FX_CLEARING, "MXN")
    add_posting(entry, 2, "credit", 5, account_id=pesos.id, currency="MXN")

    with pytest.raises(DatabaseError, match=r"does not balance in (MXN, USD|USD, MXN)"):
        check_deferred()


def test_a_posting_cannot_be_added_to_a_booked_entry(scene):
    entry_id = scene.top_up(UNIT).id
    entry = JournalEntry.objects.get(id=entry_id)

    for line in (0, 3):
        with pytest.raises(DatabaseError, match="does not fit"), transaction.atomic():
            add_posting(entry, line, "debit", 5)
    with pytest.raises(DatabaseError, match="billing_posting_line"), transaction.atomic():
        add_posting(entry, 2, "debit", 5)
    assert entry.postings.count() == 2


def test_a_posting_in_another_currency_than_its_account_is_refused(db):
    with pytest.raises(DatabaseError, match="does not fit"):
        add_posting(new_entry(), 1, "debit", 5, currency="MXN")


def test_a_posting_to_an_organization_must_be_chained(scene):
    wallet = account(AccountCode.WALLET, "MXN", scene.organization_id)

    with pytest.raises(DatabaseError, match="does not fit"):
        add_posting(new_entry(), 1, "credit", 5, account_id=wallet.id, currency="MXN")


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_that_is_not_positive_is_refused(db, amount):
    with pytest.raises(DatabaseError, match="billing_posting_amount_positive"):
        add_posting(new_entry(), 1, "debit", amount)


@pytest.mark.parametrize(
    "table",
    [
        "billing_journalentry",
        "billing_posting",
        "billing_priceversion",
        "billing_markup",
        "billing_fxrate",
        "billing_account",
    ],
)
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_immutable_tables_refuse_every_change(scene, table, verb):
    scene.top_up(UNIT)
    check_deferred()

    with pytest.raises(DatabaseError, match="is refused"):
        run(verb.format(table))


@pytest.mark.parametrize("verb", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", ["billing_hold", "billing_balance"])
def test_holds_and_balances_cannot_be_deleted(scene, table, verb):
    scene.top_up(UNIT)
    scene.authorize()
    check_deferred()

    with pytest.raises(DatabaseError, match="is refused"):
        run(verb.format(table))


def test_a_balance_cannot_go_below_what_is_held(scene):
    scene.top_up(UNIT)
    scene.authorize()

    for change in ("posted_micros = posted_micros - 1", "held_micros = held_micros + 1"):
        with pytest.raises(DatabaseError, match="billing_balance_available"):
            run(
                f"UPDATE billing_balance SET {change} WHERE account_id = %s",
                [account(AccountCode.WALLET, "MXN", scene.organization_id).id],
            )


@pytest.mark.parametrize(
    "change",
    [
        "unit_micros = 1, amount_micros = 1",
        "markup = 0.5",
        "deadline_at = deadline_at + interval '1 day'",
        "reference = 'other'",
        "budget_period = '2020-01-01'",
        "api_key_id = NULL",
    ],
)
def test_the_terms_of_a_hold_cannot_change(scene, change):
    scene.top_up(UNIT)
    hold = scene.authorize()

    with pytest.raises(DatabaseError, match="its terms are fixed"):
        run(f"UPDATE billing_hold SET {change} WHERE id = %s", [hold.id])


@pytest.mark.parametrize("end", ["capture", "release"])
def test_a_closed_hold_cannot_change(scene, end):
    scene.top_up(UNIT)
    hold = scene.authorize()
    getattr(scene, end)(hold.reference)

    with pytest.raises(DatabaseError, match="cannot change"):
        run(
            "UPDATE billing_hold SET status = 'authorized', captured_count = 0,"
            " captured_micros = 0, closed_at = NULL WHERE id = %s",
            [hold.id],
        )


def test_a_hold_cannot_be_captured_above_its_amount(scene):
    scene.top_up(UNIT)
    hold = scene.authorize()

    with pytest.raises(DatabaseError, match="billing_hold_captured_amount"):
        run(
            "UPDATE billing_hold SET status = 'captured', captured_count = 2,"
            " captured_micros = unit_micros * 2, closed_at = now() WHERE id = %s",
            [hold.id],
        )
