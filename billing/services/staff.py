"""Who of the platform's staff may handle money."""

from orgs.errors import PermissionDeniedError
from orgs.models import User
from orgs.services.audit import Actor


def require_finance(actor: Actor) -> None:
    """Refuse everyone but the platform's finance staff, as of now.

    Raises:
        PermissionDeniedError: The actor is none of them.
    """
    is_one = (
        actor.user_id is not None
        and actor.impersonator_id is None
        and User.objects.filter(
            id=actor.user_id, staff_role=User.StaffRole.FINANCE, is_active=True
        ).exists()
    )
    if not is_one:
        raise PermissionDeniedError("Only the platform's finance staff may do this.")
