"""Images are refunded once, at what they were charged, by two people; adjustments likewise."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from billing.errors import (
    AlreadyRefundedError,
    CurrencyMismatchError,
    HoldNotFoundError,
    InsufficientBalanceError,
    InvalidAmountError,
    PaymentClosedError,
    SelfApprovalError,
)
from billing.models import AccountCode, CreditNote, JournalEntry, Posting, Refund
from billing.selectors.refunds.charges import find_charge
from billing.services.accounts import account
from billing.services.ledger import reverse_entry
from billing.services.refunds.adjustments import (
    WalletChange,
    approve_adjustment,
    ask_adjustment,
    decline_adjustment,
)
from billing.services.refunds.approving import approve_refund
from billing.services.refunds.asking import ask_refund, decline_refund
from billing.services.transactions import retrying
from core.clock import now
from core.errors import AppError
from orgs.errors import InvalidInputError, PermissionDeniedError
from orgs.models import Mail, Organization
from tests.billing.scene import UNIT, Scene, check_deferred
from tests.orgs.people import Person, Team, person


@dataclass
class Office:
    """Two people of finance, and a request of three images, of an organization in pesos."""

    scene: Scene
    first: Person
    second: Person
    reference: str

    @classmethod
    def open(cls) -> "Office":
        scene = Scene.create()
        scene.top_up(10_000_000)
        reference = str(uuid4())
        scene.authorize(4, reference=reference)
        scene.capture(reference, images=3)
        first, second = (person(staff_role="finance") for _ in range(2))
        return cls(scene, first, second, reference)

    def artifact(self, index: int) -> str:
        return f"{self.reference}/{index}"

    def ask(self, *indexes: int, **changes: Any) -> Refund:
        fields = {
            "reference": self.reference,
            "artifacts": [self.artifact(index) for index in indexes] or None,
            "reason": "Not what  was asked for.",
            "actor": self.first.actor,
            **changes,
        }
        return ask_refund(**fields, now=now())

    def approve(self, refund: Refund) -> CreditNote:
        return approve_refund(refund_id=refund.id, actor=self.second.actor, now=now())

    def checks(self) -> set[str]:
        return {finding.check for finding in self.scene.findings()}


@pytest.fixture
def office(db) -> Office:
    return Office.open()


def lines(key: str) -> set[tuple[str, str, str, int, str]]:
    rows = Posting.objects.filter(entry__idempotency_key=key).values_list(
        "account__code", "currency", "direction", "amount_micros", "reference"
    )
    return set(rows)


def test_an_image_is_given_back_what_it_was_charged_at_the_rate_of_then(office: Office):
    office.scene.set_rate("25")
    before = office.scene.balance()

    refund = office.ask(1)
    assert office.scene.balance() == before
    note = office.approve(refund)

    image = office.artifact(1)
    assert lines(f"refund:{image}") == {
        ("wallet", "MXN", "credit", UNIT, image),
        ("fx_clearing", "MXN", "debit", UNIT, image),
        ("fx_clearing", "USD", "credit", 42_000, image),
        ("revenue", "USD", "debit", 42_000, image),
    }
    assert office.scene.balance() == (before[0] + UNIT, 0)
    assert (note.amount_micros, note.currency) == (UNIT, "MXN")
    assert note.content["reason"] == "Not what was asked for."
    assert [one["position"] for one in note.content["images"]] == [2]
    check_deferred()
    assert office.scene.findings() == []


def test_the_rest_follows_under_the_next_number_and_nothing_twice(office: Office):
    first = office.approve(office.ask(1))
    with pytest.raises(AlreadyRefundedError):
        office.ask(0, 1)

    rest = office.ask()
    second = office.approve(rest)

    assert second.number == first.number + 1
    assert [one["position"] for one in second.content["images"]] == [1, 3]
    assert office.scene.balance() == (10_000_000, 0)
    with pytest.raises(AlreadyRefundedError):
        office.ask()
    for again in (approve_refund, lambda **how: decline_refund(note="No.", **how)):
        with pytest.raises(PaymentClosedError):
            again(refund_id=rest.id, actor=office.second.actor, now=now())
    assert office.scene.findings() == []


def test_who_asks_does_not_approve_and_may_withdraw(office: Office):
    refund = office.ask(0)
    with pytest.raises(SelfApprovalError), transaction.atomic():
        approve_refund(refund_id=refund.id, actor=office.first.actor, now=now())
    rows = Refund.objects.filter(id=refund.id)
    for decided_by in (refund.requested_by_id, None):
        with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
            rows.update(status="approved", decided_by=decided_by, decided_at=now())

    decline_refund(refund_id=refund.id, note="A mistake.", actor=office.first.actor, now=now())
    again = office.ask(0)
    decline_refund(refund_id=again.id, note="No.", actor=office.second.actor, now=now())

    rows = Refund.objects.filter(reference=office.reference)
    assert set(rows.values_list("status", flat=True)) == {"withdrawn", "declined"}
    assert office.approve(office.ask(0)).amount_micros == UNIT
    log = Team(Organization.objects.get(id=office.scene.organization_id)).log()
    assert log[-3:] == ["refund.declined", "refund.requested", "refund.approved"]
    assert office.scene.findings() == []


def test_what_cannot_be_refunded_is_not_asked_for(office: Office):
    for changes, error in (
        ({"reference": str(uuid4())}, HoldNotFoundError),
        ({"artifacts": ["another"]}, InvalidInputError),
        ({"artifacts": []}, InvalidInputError),
        ({"reason": " "}, InvalidInputError),
        ({"actor": person(staff_role="operator").actor}, PermissionDeniedError),
        ({"actor": person().actor}, PermissionDeniedError),
    ):
        with pytest.raises(error):
            office.ask(**changes)
    assert not Refund.objects.filter(reference=office.reference).exists()


def test_the_organization_is_told(office: Office):
    Organization.objects.filter(id=office.scene.organization_id).update(
        billing_email="money@example.com", language="es"
    )
    number = office.approve(office.ask()).number

    mail = Mail.objects.get(organization_id=office.scene.organization_id)
    assert (mail.kind, mail.recipient) == ("credit_note", "money@example.com")
    assert str(number) in mail.subject
    assert "2.52 MXN" in mail.subject


def change(office: Office, **fields: Any) -> WalletChange:
    return WalletChange(
        **{
            "direction": "credit",
            "amount_micros": 5_000_000,
            "currency": office.scene.currency,
            "reason": "Goodwill.",
            **fields,
        }
    )


def test_an_adjustment_is_booked_when_another_person_approves(office: Office):
    own: Any = {"organization_id": office.scene.organization_id, "now": now()}
    before = office.scene.balance()[0]
    for wrong, error in (
        (change(office, amount_micros=0), InvalidAmountError),
        (change(office, currency="USD"), CurrencyMismatchError),
        (change(office, reason=" "), InvalidInputError),
        (change(office, direction="up"), InvalidInputError),
    ):
        with pytest.raises(error):
            ask_adjustment(change=wrong, actor=office.first.actor, **own)
    credit = ask_adjustment(change=change(office), actor=office.first.actor, **own)
    with pytest.raises(SelfApprovalError), transaction.atomic():
        approve_adjustment(adjustment_id=credit.id, actor=office.first.actor, now=now())

    approve_adjustment(adjustment_id=credit.id, actor=office.second.actor, now=now())

    assert office.scene.balance()[0] == before + 5_000_000
    assert lines(f"adjustment:{credit.id}") == {
        ("refunds", "MXN", "debit", 5_000_000, ""),
        ("wallet", "MXN", "credit", 5_000_000, ""),
    }
    assert office.scene.findings() == []


def test_an_adjustment_never_takes_what_is_not_available(office: Office):
    own: Any = {"organization_id": office.scene.organization_id, "now": now()}
    office.scene.authorize(1)
    posted, held = office.scene.balance()
    wanted = change(office, direction="debit", amount_micros=posted - held + 1)
    debit = ask_adjustment(change=wanted, actor=office.first.actor, **own)

    with pytest.raises(InsufficientBalanceError), transaction.atomic():
        approve_adjustment(adjustment_id=debit.id, actor=office.second.actor, now=now())

    assert office.scene.balance() == (posted, held)
    debit.refresh_from_db()
    assert debit.status == "pending"
    decline_adjustment(adjustment_id=debit.id, note="", actor=office.second.actor, now=now())
    wanted = change(office, direction="debit", amount_micros=posted - held)
    debit = ask_adjustment(change=wanted, actor=office.first.actor, **own)
    approve_adjustment(adjustment_id=debit.id, actor=office.second.actor, now=now())
    assert office.scene.balance() == (held, held)
    assert office.scene.findings() == []


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        ("refund SET status = 'declined'", {"refund_entry", "refund_row", "refund_whole"}),
        ("refund SET amount_micros = amount_micros + 1", {"refund_whole", "credit_note"}),
        ("refundedimage SET amount_micros = 1", {"refund_entry", "refund_whole"}),
        ("refundedimage SET artifact = 'another'", {"refund_entry", "refund_row"}),
        ("refundedimage SET is_dropped = true", {"refund_entry"}),
        ("creditnote SET content = jsonb_set(content, '{reason}', '\"x\"')", {"credit_note"}),
        ("creditnote SET number = number + 1", {"credit_note"}),
        ("creditnote SET amount_micros = 7", {"credit_note"}),
        ("adjustment SET direction = 'debit'", {"adjustment_entry"}),
        ("adjustment SET amount_micros = 7", {"adjustment_entry"}),
        ("adjustment SET status = 'declined'", {"adjustment_entry", "adjustment_row"}),
    ],
)
def test_what_was_changed_behind_its_back_is_named(office: Office, change: str, checks: set[str]):
    office.approve(office.ask(0))
    adjust(office)
    assert office.checks() == set()
    table = change.split(maxsplit=1)[0]
    with connection.cursor() as cursor:
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(f"UPDATE billing_{change}")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE billing_{table} DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE billing_{change}")

    assert office.checks() == checks


def adjust(office: Office) -> None:
    own: Any = {"organization_id": office.scene.organization_id, "now": now()}
    row = ask_adjustment(change=change(office), actor=office.first.actor, **own)
    approve_adjustment(adjustment_id=row.id, actor=office.second.actor, now=now())


@pytest.mark.parametrize("table", ["creditnote", "adjustment"])
def test_a_row_that_went_missing_is_named(office: Office, table: str):
    office.approve(office.ask(0))
    adjust(office)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE billing_{table} DISABLE TRIGGER USER")
        cursor.execute(f"DELETE FROM billing_{table}")

    expected = {"creditnote": "refund_whole", "adjustment": "adjustment_row"}
    assert office.checks() == {expected[table]}


def test_an_image_that_is_given_back_by_two_entries_is_named(office: Office):
    office.approve(office.ask(2))
    capture = JournalEntry.objects.get(idempotency_key=f"generation:{office.reference}")
    reversal = reverse_entry(entry_id=capture.id, now=now())

    [found] = office.scene.findings()

    assert (found.check, found.row_id) == ("refund_double", str(reversal.id))


@pytest.mark.usefixtures("committed")
def test_of_many_that_approve_at_once_one_does_and_numbers_have_no_gaps():
    office, other = Office.open(), Office.open()
    refunds = [office.ask(0), office.ask(1), other.ask(0), other.ask(1)]
    started = Barrier(8)

    def try_one(refund: Refund) -> int:
        started.wait()
        try:
            return office.approve(refund).number
        except AppError:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(try_one, [*refunds, *refunds]))

    assert numbers[:4] == [0] * 4
    assert numbers[4:] == list(range(numbers[4], numbers[4] + 4))
    assert office.scene.balance()[0] == 10_000_000 - UNIT
    assert office.scene.findings() == other.scene.findings() == []


@pytest.mark.usefixtures("committed")
def test_balances_are_locked_in_the_order_in_which_holds_lock_them():
    """The first image was paid by credit alone, the second by both; the wallet's lock is first."""
    scene = Scene.create()
    while not _account_ids(scene)[0] < _account_ids(scene)[1]:
        scene = Scene.create()
    wallet, promo = _account_ids(scene)
    scene.top_up(10_000_000)
    scene.grant(UNIT + 1)
    office = Office(scene, person(staff_role="finance"), person(staff_role="finance"), "")
    office.reference = scene.authorize(2).reference
    scene.capture(office.reference, images=2)
    refund = office.ask()

    def approve() -> None:
        try:
            office.approve(refund)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            lock = "SELECT FROM billing_balance WHERE account_id = %s FOR UPDATE"
            cursor.execute(lock, [wallet])
            approved = pool.submit(approve)
            until = time.monotonic() + 10
            while not _is_waited_for() and time.monotonic() < until:
                time.sleep(0.02)
            cursor.execute(f"{lock} NOWAIT", [promo])
        approved.result(20)
    assert scene.balance() == (10_000_000, 0)
    assert scene.promo() == (UNIT + 1, 0)
    assert scene.findings() == []


def _is_waited_for() -> bool:
    """Say whether somebody waits for a lock of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
            " AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone() == (True,))


def _account_ids(scene: Scene) -> list[UUID]:
    codes = (AccountCode.WALLET, AccountCode.WALLET_PROMO)
    return [account(code, scene.currency, scene.organization_id).id for code in codes]


@pytest.mark.usefixtures("committed")
def test_of_many_that_ask_at_once_one_does():
    office = Office.open()
    started = Barrier(4)

    def try_one(_: int) -> bool:
        started.wait()
        try:
            retrying(lambda: office.ask(0))
        except AlreadyRefundedError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(try_one, range(4))) == [False, False, False, True]
    charge = find_charge(reference=office.reference)
    assert charge is not None
    assert [one.refund_status for one in charge.images] == ["pending", "", ""]
