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
    user_id = actor.user_id if actor.impersonator_id is None else None
    staff = User.objects.filter(staff_role=User.StaffRole.FINANCE, is_active=True)
    if user_id is None or not staff.filter(id=user_id).exists():
        raise PermissionDeniedError("Only the platform's finance staff may do this.")
    return user_id
