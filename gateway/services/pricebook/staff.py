"""Who may change prices and markups."""

from billing.services.payments.staff import require_finance
from orgs.services.audit import Actor


def require_pricing(actor: Actor) -> None:
    """Refuse everyone but the platform's operators, commands and finance staff.

    Raises:
        PermissionDeniedError: The actor is none of them.
    """
    if not actor.is_platform:
        require_finance(actor)
