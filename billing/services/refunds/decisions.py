"""What requests for refunds and adjustments share: a reason, and a decision by somebody else."""

from datetime import datetime
from typing import Final

from billing.errors import PaymentClosedError, SelfApprovalError
from billing.models import Adjustment, Decision, Refund
from orgs.errors import InvalidInputError
from orgs.services.audit import Actor

REASON_LENGTH: Final = 500


def read_reason(text: str) -> str:
    """Return a reason in one line.

    Raises:
        InvalidInputError: There is none.
    """
    reason = " ".join(text.split())[:REASON_LENGTH]
    if not reason:
        raise InvalidInputError("Say why.", param="reason")
    return reason


def check_pending(request: Refund | Adjustment) -> None:
    """Refuse what was decided already.

    Raises:
        PaymentClosedError: It was.
    """
    if request.status != Decision.PENDING:
        raise PaymentClosedError("This was decided already.")


def approve(request: Refund | Adjustment, *, actor: Actor, now: datetime) -> None:
    """Note an approval. Joins the caller's transaction, which locked the request.

    Raises:
        SelfApprovalError: The actor asked for it.
    """
    if request.requested_by_id == actor.user_id:
        raise SelfApprovalError("Another person has to decide about what you asked for.")
    request.status = Decision.APPROVED
    request.decided_by_id, request.decided_at = actor.user_id, now
    request.save(update_fields=["status", "decided_by", "decided_at"])


def turn_down(request: Refund | Adjustment, *, note: str, actor: Actor, now: datetime) -> None:
    """Note that a request came to nothing: declined, or withdrawn by who asked."""
    is_own = request.requested_by_id == actor.user_id
    request.status = Decision.WITHDRAWN if is_own else Decision.DECLINED
    request.decided_by_id = None if is_own else actor.user_id
    request.decided_at, request.note = now, " ".join(note.split())[:REASON_LENGTH]
    request.save(update_fields=["status", "decided_by", "decided_at", "note"])
