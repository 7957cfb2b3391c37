"""Stripe's reports, beside the payments, refunds and disputes that were booked.

The itemized reports "Balance change from activity" and "Payout reconciliation" as CSV
(docs.stripe.com/reports, read 2026-11-21): a line for each movement of our balance there, amounts
in units of its currency. Only the second says which payout a movement is part of.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from billing.models import Dispute, Payment, PaymentRefund, Payout, UnmatchedPayment
from billing.selectors.periods.months import begin_of_day, end_of_day
from billing.services.reconciliation.reading import (
    MOST_LINES,
    Error,
    Fault,
    find_columns,
    read_day,
    read_micros,
)

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("balance_transaction_id",),
    "date": ("created_utc", "created"),
    "category": ("reporting_category",),
    "currency": ("currency",),
    "gross": ("gross",),
    "fee": ("fee",),
    "source": ("source_id",),
    "intent": ("payment_intent_id",),
    "payout": ("automatic_payout_id",),
    "arrival": ("automatic_payout_effective_at_utc", "automatic_payout_effective_at"),
}
NEEDED: Final = ("id", "date", "category", "currency", "gross", "fee", "source", "intent")
# What Stripe keeps for itself is no movement of what we booked.
_FEES: Final = frozenset({"fee", "network_cost", "tax"})
_SIGNS: Final[Mapping[str, int]] = {
    "charge": 1,
    "refund": -1,
    "dispute": -1,
    "dispute_reversal": 1,
}
_BY_CARD: Final = (Payment.Kind.CHECKOUT, Payment.Kind.AUTOMATIC)


@dataclass(frozen=True, slots=True)
class Movement:
    """One line; `reference` is a charge's payment intent, else what Stripe calls its source."""

    number: int
    id: str
    day: date
    category: str
    currency: str
    gross: int
    fee: int
    reference: str
    payout: str
    arrival: date | None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that one side has, or has otherwise.

    `kind` is `twice`, `missing_here`, `missing_there`, `amount` or `currency`. Amounts are micros.
    """

    kind: str
    reference: str
    currency: str
    ours: int | None
    theirs: int | None
    line: int | None = None


@dataclass(slots=True)
class PayoutSum:
    """What a payout is made of, and whether it is booked."""

    reference: str
    currency: str
    arrival: date | None
    gross: int = 0
    fee: int = 0
    is_booked: bool = False

    @property
    def net(self) -> int:
        """Return what arrived at the bank."""
        return self.gross - self.fee


@dataclass(slots=True)
class Report:
    """A report that was read: its movements, or what is wrong with it."""

    movements: list[Movement] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)


def read_report(text: str) -> Report:
    """Read a report; nothing is written."""
    rows = csv.reader(io.StringIO(text, newline=""))
    report = Report()
    places = find_columns(next(rows, []), NAMES, NEEDED, {}, report.errors)
    if report.errors:
        return report
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(report.movements) >= MOST_LINES:
            report.errors.append(Error(number, Fault.TOO_LONG))
            break
        if len(row) <= max(places.values()):
            report.errors.append(Error(number, Fault.CELLS))
            continue
        cells = {name: row[place].strip() for name, place in places.items()}
        found = _movement(number, cells)
        (report.errors if isinstance(found, Error) else report.movements).append(found)  # type: ignore[arg-type] # each to its own
    if not report.movements and not report.errors:
        report.errors.append(Error(1, Fault.EMPTY))
    return report


def compare_report(movements: list[Movement]) -> list[Mismatch]:
    """Return what Stripe's movements and our payments, refunds and disputes do not share.

    What is booked here and missing there is looked for between the first and the last day of the
    report. Reads five tables; nothing is written.
    """
    times = Counter(one.id for one in movements)
    first = {one.id: one for one in reversed(movements)}
    found = [
        Mismatch("twice", one.reference, one.currency, None, one.gross, one.number)
        for one in movements
        if times[one.id] > 1 and first[one.id] is not one
    ]
    compared = [one for one in first.values() if one.category in _SIGNS]
    booked = _booked({one.reference for one in compared})
    for one in sorted(compared, key=lambda this: this.number):
        theirs = _SIGNS[one.category] * one.gross
        ours = booked.get(one.reference)
        if ours is None:
            kind = "missing_here"
        elif ours[1] != one.currency:
            kind = "currency"
        elif ours[0] != theirs:
            kind = "amount"
        else:
            continue
        micros = None if ours is None else ours[0]
        found.append(Mismatch(kind, one.reference, one.currency, micros, theirs, one.number))
    return [*found, *_missing_there(compared)]


def sum_payouts(movements: Iterable[Movement]) -> list[PayoutSum]:
    """Return the payouts that movements are part of, with what was kept of them."""
    sums: dict[str, PayoutSum] = {}
    # What is in the file twice counts once.
    for one in {one.id: one for one in movements}.values():
        if not one.payout or one.category == "payout":
            continue
        total = sums.setdefault(one.payout, PayoutSum(one.payout, one.currency, one.arrival))
        if one.category in _FEES:
            total.fee -= one.gross
        else:
            total.gross += one.gross
        total.fee += one.fee
    rows = Payout.objects.filter(reference__in=sums).values_list("reference", flat=True)
    for reference in rows:
        sums[reference].is_booked = True
    return sorted(sums.values(), key=lambda one: (one.arrival or date.min, one.reference))


def _movement(number: int, cells: Mapping[str, str]) -> Movement | Error:
    day, gross, fee = (
        read_day(cells["date"]),
        read_micros(cells["gross"]),
        read_micros(cells["fee"]),
    )
    if day is None:
        return Error(number, Fault.DATE, cells["date"])
    if gross is None or fee is None:
        return Error(number, Fault.AMOUNT, f"{cells['gross']} {cells['fee']}")
    is_charge = cells["category"] == "charge"
    return Movement(
        number=number,
        id=cells["id"],
        day=day,
        category=cells["category"],
        currency=cells["currency"].upper(),
        gross=gross,
        fee=fee,
        reference=(cells["intent"] if is_charge else "") or cells["source"],
        payout=cells.get("payout", ""),
        arrival=read_day(cells.get("arrival", "")),
    )


def _booked(references: set[str]) -> dict[str, tuple[int, str]]:
    """Return what was booked of payments, refunds, disputes and unmatched money."""
    paid = Payment.objects.filter(
        reference__in=references, status=Payment.Status.SUCCEEDED, kind__in=_BY_CARD
    ).values_list("reference", "gross_micros", "currency")
    aside = UnmatchedPayment.objects.filter(reference__in=references, is_booked=True)
    refunds = PaymentRefund.objects.filter(refund_id__in=references)
    disputes = Dispute.objects.filter(dispute_id__in=references)
    rows = (
        *paid,
        *aside.values_list("reference", "amount_micros", "currency"),
        *refunds.values_list("refund_id", "amount_micros", "payment__currency"),
        *disputes.values_list("dispute_id", "amount_micros", "payment__currency"),
    )
    return {reference: (micros, currency) for reference, micros, currency in rows}


def _missing_there(compared: list[Movement]) -> list[Mismatch]:
    if not compared:
        return []
    first, last = min(one.day for one in compared), max(one.day for one in compared)
    paid = (
        Payment.objects.filter(
            status=Payment.Status.SUCCEEDED,
            kind__in=_BY_CARD,
            received_at__gte=begin_of_day(first),
            received_at__lt=end_of_day(last),
        )
        .exclude(reference__in=[one.reference for one in compared])
        .order_by("received_at", "id")
    )
    return [
        Mismatch("missing_there", one.reference, one.currency, one.gross_micros, None)
        for one in paid
    ]
