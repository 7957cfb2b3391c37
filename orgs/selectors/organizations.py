"""Reading organizations."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

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


def find_organizations(*, name: str, limit: int) -> list[Organization]:
    """Return organizations of a name, upper or lower case, the oldest first. One query."""
    return list(Organization.objects.filter(name__iexact=name).order_by("created_at", "id")[:limit])


@dataclass(frozen=True, slots=True)
class RetentionDays:
    """For how many days an organization keeps images and prompts; None for ever."""

    organization_id: UUID
    image_days: int | None
    prompt_days: int | None


def list_retentions() -> list[RetentionDays]:
    """Return the retention of every organization that has one and is not purged. One query."""
    rows = Organization.objects.filter(
        Q(image_retention_days__isnull=False) | Q(prompt_retention_days__isnull=False),
        purged_at__isnull=True,
    )
    columns = ("id", "image_retention_days", "prompt_retention_days")
    return [RetentionDays(*row) for row in rows.order_by("id").values_list(*columns)]


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
