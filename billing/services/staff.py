"""Who of the platform's staff may handle money."""

from uuid import UUID

from orgs.errors import PermissionDeniedError
from orgs.models import User
from orgs.services.audit import Actor


def require_finance(actor: Actor) -> UUID:
    """Refuse everyone but the platform's finance staff, as of now; return who it is.

    Raises:
        PermissionDeniedError: The actor is none of them.
    """
    staff = User.objects.filter(staff_role=User.StaffRole.FINANCE, is_active=True)
    is_one = actor.impersonator_id is None and staff.filter(id=actor.user_id).exists()
    if actor.user_id is None or not is_one:
        raise PermissionDeniedError("Only the platform's finance staff may do this.")
    return actor.user_id
