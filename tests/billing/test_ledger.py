from decimal import Decimal
from uuid import uuid4

import pytest

from billing.errors import (
    CurrencyMismatchError,
    EntryConflictError,
    EntryNotFoundError,
    InsufficientBalanceError,
    InvalidAmountError,
    UnbalancedEntryError,
)
from billing.models import AccountCode, Direction, EntryKind, JournalEntry, Posting
from billing.selectors.entries import entries_for
from billing.services.accounts import account
from billing.services.costs import post_attempt_cost
from billing.services.ledger import post_entry, reverse_entry
from billing.services.topups import top_up
from billing.types import Line
from core.clock import now
from tests.billing.scene import UNIT, check_deferred

CASH = account(AccountCode.CASH, "USD")
REVENUE = account(AccountCode.REVENUE, "USD")


def post(*lines: Line, key: str = ""):
    return post_entry(
        kind=EntryKind.ADJUSTMENT,
        idempotency_key=key or uuid4().hex,
        lines=lines,
        now=now(),
    )


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Line(CASH, Direction.DEBIT, 1)],
        [Line(CASH, Direction.DEBIT, 1), Line(REVENUE, Direction.CREDIT, 2)],
        [Line(CASH, Direction.DEBIT, 0), Line(REVENUE, Direction.CREDIT, 0)],
        [Line(CASH, Direction.DEBIT, -1), Line(REVENUE, Direction.CREDIT, -1)],
        [
            Line(CASH, Direction.DEBIT, 1),
            Line(account(AccountCode.REVENUE, "MXN"), Direction.CREDIT, 1),
        ],
    ],
)
def test_lines_that_do_not_balance_are_refused(db, lines):
    with pytest.raises(UnbalancedEntryError):
        post(*lines)


def test_an_entry_over_several_accounts_of_an_organization_advances_each_chain(scene):
    scene.top_up(UNIT)
    wallet = account(AccountCode.WALLET, "MXN", scene.organization_id)
    receivable = account(AccountCode.RECEIVABLE, "MXN", scene.organization_id)
    disputes = account(AccountCode.DISPUTES, "MXN")

    entry = post(
        Line(wallet, Direction.DEBIT, UNIT),
        Line(receivable, Direction.DEBIT, 7),
        Line(disputes, Direction.CREDIT, UNIT + 7),
    )

    check_deferred()
    chained = dict(
        Posting.objects.filter(entry_id=entry.id).values_list("account__code", "chain_seq")
    )
    assert chained == {"wallet": 2, "receivable": 1, "disputes": None}
    assert scene.balance() == (0, 0)
    assert scene.findings() == []


def test_an_entry_cannot_take_what_is_held(scene):
    scene.top_up(UNIT)
    scene.authorize()
    wallet = account(AccountCode.WALLET, "MXN", scene.organization_id)

    with pytest.raises(InsufficientBalanceError):
        post(
            Line(wallet, Direction.DEBIT, 1),
            Line(account(AccountCode.CASH, "MXN"), Direction.CREDIT, 1),
        )

    assert scene.balance() == (UNIT, UNIT)


def test_a_top_up_is_booked_once_per_key(scene):
    first = scene.top_up(UNIT, key="payment-1")
    again = scene.top_up(UNIT, key="payment-1")

    assert (first.created, again.created, first.id) == (True, False, again.id)
    assert scene.balance() == (UNIT, 0)


def test_a_top_up_of_another_amount_under_the_same_key_is_refused(scene):
    scene.top_up(UNIT, key="payment-2")

    with pytest.raises(EntryConflictError):
        scene.top_up(UNIT + 1, key="payment-2")

    assert scene.balance() == (UNIT, 0)


@pytest.mark.parametrize(
    ("amount", "currency", "error"),
    [
        (0, None, InvalidAmountError),
        (-1, None, InvalidAmountError),
        (1, "USD", CurrencyMismatchError),
    ],
)
def test_a_top_up_that_makes_no_sense_is_refused(scene, amount, currency, error):
    with pytest.raises(error):
        top_up(
            organization_id=scene.organization_id,
            amount_micros=amount,
            currency=currency,
            idempotency_key=uuid4().hex,
            now=now(),
        )

    assert scene.balance() == (0, 0)


def test_a_reversal_mirrors_the_entry_once(scene):
    entry = scene.top_up(UNIT)

    first = reverse_entry(entry_id=entry.id, now=now())
    again = reverse_entry(entry_id=entry.id, now=now())

    assert (first.created, again.created) == (True, False)
    assert scene.balance() == (0, 0)
    assert scene.findings() == []


def test_a_reversal_of_spent_money_is_refused(scene):
    entry = scene.top_up(UNIT)
    scene.capture(scene.authorize().reference)

    with pytest.raises(InsufficientBalanceError):
        reverse_entry(entry_id=entry.id, now=now())


def test_a_reversal_of_nothing_is_refused(db):
    with pytest.raises(EntryNotFoundError):
        reverse_entry(entry_id=uuid4(), now=now())


def test_the_cost_of_an_attempt_is_booked_once(db):
    attempt = uuid4().hex
    views = [
        post_attempt_cost(
            attempt_reference=attempt, provider="fal", amount=Decimal("0.0400005"), now=now()
        )
        for _ in range(2)
    ]

    check_deferred()
    assert [view.created for view in views if view] == [True, False]
    [entry] = entries_for(reference=attempt)
    assert entry.idempotency_key == f"attempt:{attempt}"
    assert [
        (p.account_code, p.direction, p.amount_micros, p.reference) for p in entry.postings
    ] == [
        ("provider_cost", "debit", 40_001, "fal"),
        ("provider_payable", "credit", 40_001, "fal"),
    ]


def test_a_cost_of_zero_books_nothing(db):
    attempt = uuid4().hex

    booked = post_attempt_cost(
        attempt_reference=attempt, provider="sandbox", amount=Decimal(0), now=now()
    )

    assert booked is None
    assert not JournalEntry.objects.filter(reference=attempt).exists()
