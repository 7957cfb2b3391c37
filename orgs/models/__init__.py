"""Users, organizations, memberships and API keys."""

from orgs.models.api_key import ApiKey
from orgs.models.membership import Membership
from orgs.models.organization import Organization
from orgs.models.user import User

__all__ = ["ApiKey", "Membership", "Organization", "User"]
