"""Rates that finance sets by hand."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.errors import InvalidAmountError, RateNotFoundError
from billing.models import CandidateStatus, FxRate, RateCandidate
from billing.models.rates import MANUAL
from billing.selectors.rates.force import rates_in_force
from billing.services.accounts import open_platform_accounts
from billing.services.fx import check_rate
from billing.services.rates.people import require_finance
from billing.services.rates.recording import is_too_far
from orgs.services.audit import Action, Actor, Target, record

_TEXT_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class ManualRate:
    """What somebody enters: a rate that holds from `valid_from`, or from now, until an end."""

    base: str
    quote: str
    rate: Decimal
    reason: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None


def set_manual_rate(*, terms: ManualRate, actor: Actor, now: datetime) -> bool:
    """Put a rate in force, before those of any source; log it.

    One that differs too much from the rate in force becomes a candidate that somebody else has to
    approve.

    Args:
        terms: The rate, why, and for how long.
        actor: Of the finance staff.
        now: From when it holds at the earliest.

    Returns:
        Whether it is in force, or will be from its beginning on, without anybody else.

    Raises:
        PermissionDeniedError: The actor is none of the finance staff.
        InvalidAmountError: No usable rate or reason, or an end before its beginning.
        UnknownCurrencyError: A code is not ISO 4217.
    """
    require_finance(actor)
    begins = max(terms.valid_from or now, now)
    _check(terms, begins=begins)
    pair = (terms.base, terms.quote)
    with transaction.atomic():
        open_platform_accounts(currency=terms.base)
        open_platform_accounts(currency=terms.quote)
        current = rates_in_force(pairs=[pair], at=now).get(pair)
        if current is not None and is_too_far(terms.rate, previous=current.rate):
            _propose(terms, begins=begins, previous_id=current.id, actor=actor, now=now)
            return False
        rate = add_manual_rate(terms=terms, begins=begins, created_by=actor.label, now=now)
        log_rate(
            Action.FX_RATE_SET,
            rate,
            actor=actor,
            before=None if current is None else current.rate,
            after=rate.rate,
        )
    return True


def end_manual_rate(*, base: str, quote: str, reason: str, actor: Actor, now: datetime) -> None:
    """End the manual rate of a pair, so that its sources count again; log it.

    Raises:
        PermissionDeniedError: The actor is none of the finance staff.
        RateNotFoundError: No manual rate is in force.
        InvalidAmountError: There is no reason.
    """
    require_finance(actor)
    with transaction.atomic():
        current = rates_in_force(pairs=[(base, quote)], at=now).get((base, quote))
        if current is None or current.source != MANUAL:
            raise RateNotFoundError(f"No manual rate is in force for {base}/{quote}.")
        terms = ManualRate(base, quote, current.rate, reason, valid_until=now)
        if not reason.strip():
            raise InvalidAmountError("Say why.", param="reason")
        rate = add_manual_rate(terms=terms, begins=now, created_by=actor.label, now=now)
        log_rate(Action.FX_RATE_ENDED, rate, actor=actor, before=current.rate, after=None)


def add_manual_rate(
    *, terms: ManualRate, begins: datetime, created_by: str, now: datetime
) -> FxRate:
    """Add the row. Joins the caller's transaction."""
    return FxRate.objects.create(
        base=terms.base,
        quote=terms.quote,
        rate=terms.rate,
        source=MANUAL,
        as_of=begins,
        valid_until=terms.valid_until,
        reason=terms.reason.strip(),
        created_at=now,
        created_by=created_by[:_TEXT_LENGTH],
    )


def log_rate(
    action: Action,
    row: FxRate | RateCandidate,
    *,
    actor: Actor,
    before: Decimal | None,
    after: Decimal | None,
) -> None:
    """Write a line of the platform's audit log about a rate or a candidate."""
    kind = "fx_rate" if isinstance(row, FxRate) else "rate_candidate"
    record(
        action=action,
        actor=actor,
        organization_id=None,
        target=Target(kind, UUID(int=row.id), f"{row.base}/{row.quote}"),
        before={"rate": None if before is None else f"{before:f}", "reason": None},
        after={"rate": None if after is None else f"{after:f}", "reason": row.reason},
    )


def _check(terms: ManualRate, *, begins: datetime) -> None:
    if terms.base == terms.quote:
        raise InvalidAmountError("A rate needs two different currencies.", param="quote")
    check_rate(terms.rate)
    if not 0 < len(terms.reason.strip()) <= _TEXT_LENGTH:
        raise InvalidAmountError("Say why, in at most 255 letters.", param="reason")
    if terms.valid_until is not None and terms.valid_until <= begins:
        raise InvalidAmountError("The end is before the beginning.", param="valid_until")


def _propose(
    terms: ManualRate, *, begins: datetime, previous_id: int, actor: Actor, now: datetime
) -> None:
    candidate = RateCandidate.objects.create(
        base=terms.base,
        quote=terms.quote,
        rate=terms.rate,
        source=MANUAL,
        as_of=begins,
        valid_until=terms.valid_until,
        previous_id=previous_id,
        created_at=now,
        status=CandidateStatus.PROPOSED.value,
        reason=terms.reason.strip(),
        proposed_by=actor.user_id,
        proposed_by_label=actor.label[:_TEXT_LENGTH],
        proposed_at=now,
    )
    previous = candidate.previous.rate
    log_rate(Action.FX_RATE_PROPOSED, candidate, actor=actor, before=previous, after=terms.rate)
