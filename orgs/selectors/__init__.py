"""Reading organizations and what belongs to them."""

from orgs.models import Membership, Organization, User
from orgs.selectors.organizations import (
    find_demo_organization,
    find_membership,
    get_organization,
    list_memberships,
)

__all__ = [
    "Membership",
    "Organization",
    "User",
    "find_demo_organization",
    "find_membership",
    "get_organization",
    "list_memberships",
]
