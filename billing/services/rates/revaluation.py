"""Month-end revaluation of what is held and owed in foreign currencies."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Case, F, Sum, When

from billing.errors import InvalidAmountError
from billing.models import (
    AccountCode,
    Direction,
    EntryKind,
    JournalEntry,
    Posting,
    Revaluation,
)
from billing.money import format_amount
from billing.selectors.periods.months import end_of
from billing.selectors.rates.positions import Position, fx_positions
from billing.services.accounts import PLATFORM_CURRENCY, account
from billing.services.ledger import post_entry
from billing.services.periods.locking import keep_open
from billing.services.rates.people import require_finance
from billing.types import Finding, Line
from orgs.services.audit import SYSTEM, Action, Actor, Target, record

REVERSED: Final = ":reversed"
_INSTANT: Final = timedelta(microseconds=1)
_ACCOUNTS: Final = {
    ("fx_clearing", PLATFORM_CURRENCY),
    ("fx_gain_loss", PLATFORM_CURRENCY),
}
# Any number that nothing else locks.
_LOCK: Final = 6_410_277_002


def revalue_fx(*, month: date, now: datetime, actor: Actor = SYSTEM) -> list[Position]:
    """Book the gain or loss of each foreign currency at the closing rate of a month.

    An entry of each currency, in the reporting currency, effective at the month's last instant and
    reversed on the first of the next: `fx_clearing` against `fx_gain_loss`. Repeating it books
    only what has changed since, so that it may run again after a late entry. One transaction.

    Args:
        month: Any day of it; months are those of UTC.
        now: When it is booked.
        actor: Of the finance staff, or a management command; it is logged.

    Raises:
        PermissionDeniedError: The actor is neither.
        InvalidAmountError: The month is not over.
        PeriodClosedError: It is closed.
        FxRateStaleError: A currency has no closing rate; nothing is booked.
    """
    if actor != SYSTEM:
        require_finance(actor)
    end = end_of(month)
    if now < end:
        raise InvalidAmountError(f"{month:%Y-%m} is not over yet.")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        keep_open(month.replace(day=1))
        positions = fx_positions(reporting=PLATFORM_CURRENCY, until=end)
        for position in positions:
            _book(position, month=month, end=end, now=now)
        Revaluation.objects.update_or_create(
            month=month.replace(day=1), defaults={"booked_at": now}
        )
        _log(positions, month, actor)
    return positions


def check_revaluations() -> Iterator[Finding]:
    """Yield revaluations that were not reversed on the first, or moved other accounts."""
    entries = JournalEntry.objects.filter(kind=EntryKind.REVALUATION)
    by_key = {one.idempotency_key: one for one in entries}
    for key, entry in by_key.items():
        if key.endswith(REVERSED):
            continue
        mirror = by_key.get(key + REVERSED)
        wanted = {name: -amount for name, amount in _moved(entry).items()}
        if mirror is None or _moved(mirror) != wanted or set(wanted) != _ACCOUNTS:
            message = f"{key} has no mirror image of itself"
        elif mirror.effective_at != end_of(entry.effective_at.date()):
            message = f"{key} is not reversed on the first of the month after"
        else:
            continue
        yield Finding("revaluation_reversed", "billing_journalentry", str(entry.id), message)


def _log(positions: list[Position], month: date, actor: Actor) -> None:
    record(
        action=Action.PERIOD_REVALUED,
        actor=actor,
        organization_id=None,
        target=Target("period", f"{month:%Y-%m}", f"{month:%Y-%m}"),
        after={
            one.currency: f"{format_amount(one.gain_micros, PLATFORM_CURRENCY)} {PLATFORM_CURRENCY}"
            for one in positions
        },
    )


def _moved(entry: JournalEntry) -> dict[tuple[str, str], int]:
    return {
        (one.account.code, one.currency): one.amount_micros
        if one.direction == Direction.DEBIT
        else -one.amount_micros
        for one in entry.postings.select_related("account")
    }


def _book(position: Position, *, month: date, end: datetime, now: datetime) -> None:
    reference = f"{month:%Y-%m}:{position.currency}"
    booked, number = _booked(reference)
    gain = position.gain_micros - booked
    if not gain:
        return
    key = f"revaluation:{reference}:{number + 1}"
    net = format_amount(position.net_micros, position.currency)
    rate = position.rate
    description = (
        f"{net} {position.currency} at {rate.rate.normalize():f} ({rate.source}"
        f" {rate.as_of:%Y-%m-%d})"
    )
    for suffix, effective_at, is_gain in (
        ("", end - _INSTANT, gain > 0),
        (REVERSED, end, gain < 0),
    ):
        post_entry(
            kind=EntryKind.REVALUATION,
            idempotency_key=key + suffix,
            lines=_lines(abs(gain), is_gain=is_gain),
            now=now,
            reference=reference,
            effective_at=effective_at,
            description=description,
        )


def _lines(amount_micros: int, *, is_gain: bool) -> list[Line]:
    clearing = account(AccountCode.FX_CLEARING, PLATFORM_CURRENCY)
    result = account(AccountCode.FX_GAIN_LOSS, PLATFORM_CURRENCY)
    debited, credited = (clearing, result) if is_gain else (result, clearing)
    return [
        Line(debited, Direction.DEBIT, amount_micros),
        Line(credited, Direction.CREDIT, amount_micros),
    ]


def _booked(reference: str) -> tuple[int, int]:
    """Return the gain that a month's entries of a currency have booked, and how many they are."""
    entries = JournalEntry.objects.filter(kind=EntryKind.REVALUATION, reference=reference).exclude(
        idempotency_key__endswith=REVERSED
    )
    gain = Posting.objects.filter(
        entry__in=entries, account__code=AccountCode.FX_GAIN_LOSS
    ).aggregate(
        gain=Sum(
            Case(
                When(direction=Direction.CREDIT, then=F("amount_micros")),
                default=-F("amount_micros"),
            ),
            default=0,
        )
    )["gain"]
    return int(gain), entries.count()
