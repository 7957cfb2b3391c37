"""Reading organizations."""

from uuid import UUID

from orgs.errors import OrganizationNotFoundError
from orgs.models import Organization

__all__ = ["Organization", "find_demo_organization", "get_organization"]


def get_organization(*, organization_id: UUID) -> Organization:
    """Return an organization.

    Raises:
        OrganizationNotFoundError: There is none.
    """
    organization = Organization.objects.filter(id=organization_id).first()
    if organization is None:
        raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
    return organization


def find_demo_organization(*, name: str) -> Organization | None:
    """Return the demo organization of that name, if there is one."""
    return Organization.objects.filter(is_demo=True, name=name).order_by("created_at").first()
