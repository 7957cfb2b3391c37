"""Who may decide about exchange rates."""

from billing.errors import SelfApprovalError
from billing.models import RateCandidate
from billing.services.payments.staff import require_finance
from orgs.services.audit import Actor

__all__ = ["require_another", "require_finance"]


def require_another(candidate: RateCandidate, actor: Actor) -> None:
    """Refuse who proposed a rate to approve it.

    Raises:
        SelfApprovalError: It is the same person.
    """
    if candidate.proposed_by == actor.user_id:
        raise SelfApprovalError("Another person has to approve what you proposed.")
