"""Reading organizations."""

from uuid import UUID

from orgs.errors import OrganizationNotFoundError
from orgs.models import Membership, Organization


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


def find_membership(*, user_id: UUID, organization_id: UUID) -> Membership | None:
    """Return a person's membership with its organization, or None. One query."""
    return (
        Membership.objects.select_related("organization")
        .filter(user_id=user_id, organization_id=organization_id)
        .first()
    )


def list_memberships(*, user_id: UUID) -> list[Membership]:
    """Return a person's memberships with their organizations, by name. One query."""
    return list(
        Membership.objects.select_related("organization")
        .filter(user_id=user_id)
        .order_by("organization__name", "organization_id")
    )
