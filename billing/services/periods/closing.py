"""Closing a month: once, in order, and for good."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from billing.errors import PeriodClosedError, PeriodNotReadyError
from billing.models import PeriodClose
from billing.selectors.periods.closes import next_month
from billing.services.periods.books import read_books
from billing.services.periods.checklist import Line, MoreLines, list_lines
from billing.services.periods.locking import lock_month
from billing.services.staff import require_finance
from billing.services.statements.content import digest_of
from orgs.services.audit import SYSTEM, Action, Actor, Target, record


@dataclass(frozen=True, slots=True)
class Closed:
    """A month that was closed, and the SHA-256 of what its books say."""

    month: date
    closed_at: datetime
    digest: str


def close_month(*, month: date, actor: Actor, more: MoreLines, now: datetime) -> Closed:
    """Close a month: from then on no entry takes effect in it. It is never opened again.

    One transaction. It waits for what is being booked in that month; bookings in other months, and
    so every charge of the running one, go on meanwhile.

    Args:
        month: Any day of it; months are those of UTC.
        actor: Of the finance staff, or a management command.
        more: What else must be done, beside the books.
        now: When it is closed.

    Raises:
        PermissionDeniedError: The actor is neither.
        PeriodClosedError: It is closed.
        PeriodNotReadyError: A month before it is open, or a line of the checklist is.
    """
    if actor != SYSTEM:
        require_finance(actor)
    month = month.replace(day=1)
    with transaction.atomic():
        lock_month(month)
        _require_next(month)
        _require_done([*list_lines(month=month, now=now), *more()])
        last = PeriodClose.objects.order_by("-month").first()
        previous = None if last is None else bytes(last.digest).hex()
        content = {**read_books(month), "previous": previous}
        digest = digest_of(content)
        PeriodClose.objects.create(
            month=month,
            closed_at=now,
            closed_by_id=actor.user_id,
            closed_by_label=actor.label[:254],
            content=content,
            digest=digest,
        )
        record(
            action=Action.PERIOD_CLOSED,
            actor=actor,
            organization_id=None,
            target=Target("period", f"{month:%Y-%m}", f"{month:%Y-%m}"),
            after={"books": digest.hex()},
        )
    return Closed(month, now, digest.hex())


def _require_next(month: date) -> None:
    expected = next_month()
    if expected is None or month > expected:
        raise PeriodNotReadyError(
            f"{month:%Y-%m} cannot be closed: "
            + (f"{expected:%Y-%m} is open." if expected else "nothing is booked yet.")
        )
    if month < expected:
        raise PeriodClosedError(f"{month:%Y-%m} is closed.")


def _require_done(lines: list[Line]) -> None:
    open_ones = [line.name for line in lines if not line.is_done]
    if open_ones:
        raise PeriodNotReadyError(f"Not done yet: {', '.join(open_ones)}.")
