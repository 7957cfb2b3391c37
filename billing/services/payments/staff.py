"""Who may decide about payments."""

from billing.errors import SelfApprovalError
from billing.models import Payment
from billing.services.staff import require_finance
from orgs.services.audit import Actor

__all__ = ["require_another", "require_finance"]


def require_another(payment: Payment, actor: Actor) -> None:
    """Refuse who asked for a payment to decide about it.

    Raises:
        SelfApprovalError: It is the same person.
    """
    if payment.requested_by_id == actor.user_id:
        raise SelfApprovalError("Another person has to decide about what you asked for.")
