"""Closing months: in order, for good, and beside everything that is being booked."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from threading import Thread
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.errors import PeriodClosedError, PeriodNotReadyError
from billing.models import (
    AccountCode,
    Direction,
    EntryKind,
    JournalEntry,
    Payment,
    PeriodClose,
    UnmatchedPayment,
)
from billing.services.accounts import account, open_platform_accounts
from billing.services.ledger import post_entry
from billing.services.payments.transfers import Transfer, approve_payment, record_transfer
from billing.services.periods.books import check_periods
from billing.services.periods.checklist import Line as Check
from billing.services.periods.checklist import list_lines
from billing.services.periods.closing import close_month
from billing.services.periods.locking import keep_open, lock_month
from billing.services.rates.revaluation import revalue_fx
from billing.services.statements.issuing import issue_due_statements
from billing.services.verification import verify_ledger
from billing.types import Line
from core.clock import now
from core.errors import AppError
from orgs.errors import PermissionDeniedError
from orgs.models import AuditEvent
from tests.billing.scene import Scene, check_deferred
from tests.moments import next_month
from tests.orgs.people import Person, person

# Before everything that other tests book.
MARCH, APRIL = date(1999, 3, 1), date(1999, 4, 1)
IN_MARCH, IN_APRIL = datetime(1999, 3, 9, 12, tzinfo=UTC), datetime(1999, 4, 9, 12, tzinfo=UTC)


@pytest.fixture
def finance(db) -> Person:
    return person(staff_role="finance")


def book(at: datetime | None, micros: int = 5, key: str = "", currency: str = "USD") -> str:
    """Put cash aside, with effect at an instant; return the entry's key."""
    key = key or uuid4().hex
    open_platform_accounts(currency=currency)
    lines = [
        Line(account(AccountCode.CASH, currency), Direction.DEBIT, micros),
        Line(account(AccountCode.SUSPENSE, currency), Direction.CREDIT, micros),
    ]
    post_entry(
        kind=EntryKind.ADJUSTMENT,
        idempotency_key=key,
        lines=lines,
        now=now(),
        effective_at=at,
        description="Found",
    )
    return key


def close(month: date, who: Person) -> str:
    return close_month(month=month, actor=who.actor, more=list, now=now()).digest


def open_lines(month: date = MARCH) -> dict[str, int]:
    return {one.name: one.count for one in list_lines(month=month, now=now()) if not one.is_done}


def test_months_are_closed_in_order_by_finance_and_logged(finance):
    book(IN_MARCH)
    book(IN_APRIL)
    with pytest.raises(PeriodNotReadyError):
        close(APRIL, finance)
    with pytest.raises(PermissionDeniedError):
        close(MARCH, person(staff_role="operator"))

    first, second = close(MARCH, finance), close(APRIL, finance)

    with pytest.raises(PeriodClosedError):
        close(MARCH, finance)
    rows = PeriodClose.objects.order_by("month")
    assert [(row.month, row.closed_by_label) for row in rows] == [
        (MARCH, finance.user.email),
        (APRIL, finance.user.email),
    ]
    assert rows[0].content["days"][0]["entries"] == 1
    assert (rows[0].content["previous"], rows[1].content["previous"]) == (None, first)
    log = AuditEvent.objects.filter(action="period.closed").order_by("created_at")
    assert [one.changes["books"]["after"] for one in log] == [first, second]
    assert list(check_periods()) == []


def test_the_running_month_stays_open(finance):
    key = book(IN_MARCH)
    running = now().date().replace(day=1)
    assert "over" in open_lines(running)
    # Whatever a program says, the database wants months whole, in order, and never again open.
    entry = JournalEntry.objects.get(idempotency_key=key)
    rows = {"closed_by_label": "x", "content": {}, "digest": b"x"}
    for month, closed_at, refusal in (
        (APRIL, now(), "before those before it"),
        (MARCH, IN_MARCH, "is not over"),
        (date(1999, 3, 2), now(), "billing_periodclose_month"),
    ):
        with pytest.raises(IntegrityError, match=refusal), transaction.atomic():
            PeriodClose.objects.create(month=month, closed_at=closed_at, **rows)
    close(MARCH, finance)
    for change in (
        lambda: PeriodClose.objects.update(content={}),
        PeriodClose.objects.all().delete,
    ):
        with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
            change()
    fields = {**vars(entry), "id": uuid4(), "idempotency_key": "behind"}
    fields.pop("_state")
    with pytest.raises(IntegrityError, match="closed month"), transaction.atomic():
        JournalEntry.objects.create(**fields)


def test_what_comes_late_takes_effect_in_the_open_month(finance):
    key = book(IN_MARCH)
    close(MARCH, finance)

    late = book(IN_MARCH, 7)
    # Of long before the first month that was closed, and again what is booked already.
    older = book(IN_MARCH - timedelta(days=400), 9)
    assert book(IN_MARCH, 7, late) == late
    assert book(IN_MARCH, 5, key) == key

    entry = JournalEntry.objects.get(idempotency_key=late)
    assert entry.effective_at == datetime(1999, 4, 1, tzinfo=UTC)
    assert entry.description == "Late, of 1999-03-09. Found"
    assert JournalEntry.objects.get(idempotency_key=older).effective_at == entry.effective_at
    assert JournalEntry.objects.get(idempotency_key=key).effective_at == IN_MARCH
    check_deferred()
    assert [one for one in verify_ledger(now=now()) if one.check != "rollup"] == []


def test_a_transfer_of_a_closed_month_is_credited_in_the_open_one(finance):
    scene, second = Scene.create(), person(staff_role="finance")
    transfer = Transfer(7_500_000, "MXN", uuid4().hex, IN_MARCH.date())
    payment = record_transfer(
        organization_id=scene.organization_id, transfer=transfer, actor=finance.actor, now=now()
    )
    book(IN_MARCH - timedelta(days=31))
    close(date(1999, 2, 1), finance)
    assert open_lines()["transfers"] == 1
    Payment.objects.filter(id=payment.id).update(received_at=IN_MARCH - timedelta(days=31))

    approve_payment(payment_id=payment.id, actor=second.actor, now=now())

    assert scene.balance() == (7_500_000, 0)
    entry = JournalEntry.objects.get(idempotency_key=f"top_up:payment:{payment.id}")
    assert entry.effective_at == datetime(1999, 3, 1, tzinfo=UTC)
    check_deferred()
    assert scene.findings() == []


def test_what_is_unfinished_keeps_a_month_open(finance):
    book(IN_MARCH, currency="PGK")
    scene = Scene.create()
    scene.top_up(10_000_000)
    hold = scene.authorize(at=IN_MARCH)
    UnmatchedPayment.objects.create(
        reference=uuid4().hex, amount_micros=1, currency="USD", reason="x", created_at=IN_MARCH
    )
    assert open_lines() == {"holds": 1, "unmatched": 1, "rates": 1, "revaluation": 0}
    with pytest.raises(PeriodNotReadyError, match="holds, unmatched, rates, revaluation"):
        close(MARCH, finance)
    with pytest.raises(PeriodNotReadyError, match="ledger"):
        close_month(
            month=MARCH,
            actor=finance.actor,
            more=lambda: [Check("ledger", is_done=False)],
            now=now(),
        )

    scene.release(hold.reference)
    UnmatchedPayment.objects.update(status="resolved", resolved_at=now())
    kina = Scene.create(currency="PGK")
    kina.set_rate("4", as_of=IN_MARCH)
    revalue_fx(month=MARCH, now=now())
    assert open_lines() == {}
    # What is booked afterwards is to be revalued, too.
    book(IN_MARCH, currency="PGK")
    assert open_lines() == {"revaluation": 1}
    revalue_fx(month=MARCH, now=now())

    close(MARCH, finance)

    with pytest.raises(PeriodClosedError):
        revalue_fx(month=MARCH, now=now())


def test_a_month_waits_for_the_statement_of_who_has_credit_alone(scene: Scene):
    scene.grant(5_000_000)
    later, month = next_month(), now().date().replace(day=1)

    def missing() -> int:
        return next(x for x in list_lines(month=month, now=later) if x.name == "statements").count

    before = missing()
    assert issue_due_statements(now=later, organization_id=scene.organization_id) == 1
    assert missing() == before - 1


@pytest.mark.parametrize(
    ("table", "tampering", "named"),
    [
        # As whoever makes all other digests anew.
        (
            "journalentry",
            "UPDATE {} SET digest = 'x' WHERE id = %(id)s",
            "1999-03-09 was 1 entries",
        ),
        (
            "postingfact",
            """INSERT INTO {} (account_id, day, debit_micros, credit_micros, lines)
            SELECT account_id, '1999-03-09', 1, 0, 1 FROM billing_posting
            WHERE entry_id = %(id)s AND direction = 'debit'""",
            "cash USD was 0 + 5 debit, 0 credit at its close, and is 0 + 6 debit, 0 credit",
        ),
        ("periodclose", "UPDATE {} SET digest = 'x'", "its row was changed"),
    ],
)
def test_a_closed_month_that_was_tampered_with_is_named(finance, table, tampering, named):
    key = book(IN_MARCH)
    close(MARCH, finance)
    check_deferred()
    table = f"billing_{table}"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        entry_id = JournalEntry.objects.get(idempotency_key=key).id
        cursor.execute(tampering.format(table), {"id": entry_id})

    found = [one for one in check_periods() if one.row_id == "1999-03"]

    assert len(found) == 1
    assert named in found[0].message


@pytest.mark.usefixtures("committed")
def test_closing_waits_for_its_own_month_and_nothing_waits_for_closing():
    """One holds March open while another wants to close it; a third books in other months."""

    def impatient() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '300ms'")
        lock_month(MARCH)

    with transaction.atomic():
        book(IN_MARCH)
        assert "statement timeout" in str(elsewhere(impatient))
        transaction.set_rollback(True)
    with transaction.atomic():
        lock_month(MARCH)
        started = now()
        for month in (MARCH, date(1995, 1, 1)):
            assert isinstance(elsewhere(partial(keep_open, month)), PeriodClosedError)
        for instant in (IN_APRIL, None):
            assert elsewhere(partial(book, instant)) is None
        assert now() - started < timedelta(seconds=5)
        transaction.set_rollback(True)


@pytest.mark.usefixtures("committed")
def test_what_is_of_a_month_that_is_being_closed_takes_effect_in_the_one_after():
    """One is closing March; meanwhile another books what is of March, and of February, closed."""

    def book_late() -> None:
        book(IN_MARCH - timedelta(days=31))
        close(date(1999, 2, 1), person(staff_role="finance"))
        for at in (IN_MARCH, IN_MARCH - timedelta(days=30)):
            entry = JournalEntry.objects.get(idempotency_key=book(at))
            assert entry.effective_at == datetime(1999, 4, 1, tzinfo=UTC)
            assert entry.description == f"Late, of {at:%Y-%m-%d}. Found"

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(6410277, billing_month_number(%s))", [MARCH]
            )
        assert elsewhere(book_late) is None
        transaction.set_rollback(True)


def elsewhere(work: Callable[[], object]) -> BaseException | None:
    """Do something in another connection, undo it, and return what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                transaction.set_rollback(True)
        except (AppError, DatabaseError, AssertionError) as error:
            raised.append(error)
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    return raised[0] if raised else None
