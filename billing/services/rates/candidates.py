"""Deciding about rates that were kept aside: one proposes, another approves."""

from datetime import datetime
from typing import Final

from django.db import transaction

from billing.errors import InvalidAmountError, RateDecidedError, RateNotFoundError
from billing.models import CandidateStatus, FxRate, RateCandidate
from billing.models.rates import MANUAL
from billing.services.rates.manual import ManualRate, add_manual_rate, log_rate
from billing.services.rates.people import require_another, require_finance
from billing.services.rates.recording import add_cross_rates
from orgs.services.audit import Action, Actor

_TEXT_LENGTH: Final = 255


def propose_candidate(*, candidate_id: int, reason: str, actor: Actor, now: datetime) -> None:
    """Say that a rate kept aside is right, and why; somebody else has to agree.

    Raises:
        PermissionDeniedError: The actor is none of the finance staff.
        RateNotFoundError: There is no such candidate.
        RateDecidedError: It does not wait for that.
        InvalidAmountError: There is no reason.
    """
    require_finance(actor)
    with transaction.atomic():
        candidate = _lock(candidate_id, CandidateStatus.WAITING)
        candidate.status = CandidateStatus.PROPOSED
        candidate.reason = _reason(reason)
        candidate.proposed_by = actor.user_id
        candidate.proposed_by_label = actor.label[:_TEXT_LENGTH]
        candidate.proposed_at = now
        candidate.save()
        _log(Action.FX_RATE_PROPOSED, candidate, actor)


def approve_candidate(*, candidate_id: int, actor: Actor, now: datetime) -> None:
    """Agree to a proposed rate: it is recorded, with the cross rates that need it.

    A manual one holds from now on at the earliest; a published one keeps its date.

    Raises:
        PermissionDeniedError: The actor is none of the finance staff.
        SelfApprovalError: The actor proposed it.
        RateNotFoundError: There is no such candidate.
        RateDecidedError: Nobody proposed it, it is decided, or its end has passed.
    """
    require_finance(actor)
    with transaction.atomic():
        candidate = _lock(candidate_id, CandidateStatus.PROPOSED)
        require_another(candidate, actor)
        candidate.fx_rate = _adopt(candidate, now=now)
        _decide(candidate, CandidateStatus.APPROVED, actor, now)
        add_cross_rates(source=candidate.source, instants=[candidate.as_of], now=now)
        _log(Action.FX_RATE_APPROVED, candidate, actor)


def reject_candidate(*, candidate_id: int, actor: Actor, now: datetime) -> None:
    """Refuse a rate kept aside, proposed or not. It is never used.

    Raises:
        PermissionDeniedError: The actor is none of the finance staff.
        RateNotFoundError: There is no such candidate.
        RateDecidedError: It is decided.
    """
    require_finance(actor)
    with transaction.atomic():
        candidate = _lock(candidate_id, CandidateStatus.WAITING, CandidateStatus.PROPOSED)
        _decide(candidate, CandidateStatus.REJECTED, actor, now)
        _log(Action.FX_RATE_REJECTED, candidate, actor)


def _lock(candidate_id: int, *statuses: CandidateStatus) -> RateCandidate:
    rows = RateCandidate.objects.select_for_update(of=("self",)).select_related("previous")
    candidate = rows.filter(id=candidate_id).first()
    if candidate is None:
        raise RateNotFoundError("There is no such rate.")
    if candidate.status not in statuses:
        raise RateDecidedError(f"This rate is {candidate.status}.")
    return candidate


def _adopt(candidate: RateCandidate, *, now: datetime) -> FxRate:
    if candidate.source == MANUAL:
        begins = max(candidate.as_of, now)
        if candidate.valid_until is not None and candidate.valid_until <= begins:
            raise RateDecidedError("The time for which this rate was meant has passed.")
        terms = ManualRate(
            candidate.base,
            candidate.quote,
            candidate.rate,
            candidate.reason,
            valid_until=candidate.valid_until,
        )
        label = candidate.proposed_by_label
        return add_manual_rate(terms=terms, begins=begins, created_by=label, now=now)
    return FxRate.objects.create(
        base=candidate.base,
        quote=candidate.quote,
        rate=candidate.rate,
        source=candidate.source,
        as_of=candidate.as_of,
        reason=candidate.reason,
        created_at=now,
        created_by=candidate.proposed_by_label,
    )


def _decide(candidate: RateCandidate, status: CandidateStatus, actor: Actor, now: datetime) -> None:
    candidate.status = status
    candidate.decided_by = actor.user_id
    candidate.decided_by_label = actor.label[:_TEXT_LENGTH]
    candidate.decided_at = now
    candidate.save()


def _log(action: Action, candidate: RateCandidate, actor: Actor) -> None:
    log_rate(action, candidate, actor=actor, before=candidate.previous.rate, after=candidate.rate)


def _reason(text: str) -> str:
    reason = text.strip()
    if not 0 < len(reason) <= _TEXT_LENGTH:
        raise InvalidAmountError("Say why, in at most 255 letters.", param="reason")
    return reason
