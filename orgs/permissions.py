"""What each role of an organization may do. The one table; `docs/organizations.md` shows it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from orgs.models import Membership

Role = Membership.Role


class Permission(StrEnum):
    """Something a person may do in an organization."""

    VIEW_GENERATIONS = "view_generations"
    VIEW_PROMPTS = "view_prompts"
    CREATE_GENERATIONS = "create_generations"
    DELETE_IMAGES = "delete_images"
    VIEW_KEYS = "view_keys"
    MANAGE_OWN_KEYS = "manage_own_keys"
    MANAGE_KEYS = "manage_keys"
    MANAGE_WEBHOOKS = "manage_webhooks"
    VIEW_USAGE = "view_usage"
    VIEW_BALANCE = "view_balance"
    TOP_UP = "top_up"
    MANAGE_BUDGETS = "manage_budgets"
    MANAGE_BILLING_PROFILE = "manage_billing_profile"
    VIEW_MEMBERS = "view_members"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_SETTINGS = "manage_settings"
    VIEW_AUDIT = "view_audit"
    TRANSFER_OWNERSHIP = "transfer_ownership"
    DELETE_ORGANIZATION = "delete_organization"


_OWNER: Final = frozenset(Permission)
_ADMIN: Final = _OWNER - {Permission.TRANSFER_OWNERSHIP, Permission.DELETE_ORGANIZATION}
_VIEWER: Final = frozenset(
    {
        Permission.VIEW_GENERATIONS,
        Permission.VIEW_KEYS,
        Permission.VIEW_USAGE,
        Permission.VIEW_MEMBERS,
    }
)
# A key of their own can do all of this through the API, so the console may not do less.
_DEVELOPER: Final = _VIEWER | {
    Permission.CREATE_GENERATIONS,
    Permission.DELETE_IMAGES,
    Permission.MANAGE_OWN_KEYS,
    Permission.MANAGE_WEBHOOKS,
    Permission.VIEW_BALANCE,
}
# Money without pictures: a budget belongs to a key, so keys are seen by name.
_BILLING: Final = frozenset(
    {
        Permission.VIEW_KEYS,
        Permission.VIEW_USAGE,
        Permission.VIEW_BALANCE,
        Permission.TOP_UP,
        Permission.MANAGE_BUDGETS,
        Permission.MANAGE_BILLING_PROFILE,
        Permission.VIEW_MEMBERS,
    }
)
_TABLE: Final[Mapping[str, frozenset[Permission]]] = MappingProxyType(
    {
        Role.OWNER: _OWNER,
        Role.ADMIN: _ADMIN,
        Role.DEVELOPER: _DEVELOPER,
        Role.BILLING: _BILLING,
        Role.VIEWER: _VIEWER,
    }
)


def permissions_of(role: str) -> frozenset[Permission]:
    """Return what a role may do; an unknown one may do nothing."""
    return _TABLE.get(role, frozenset())


def allows(role: str, permission: Permission) -> bool:
    """Say whether a role has a permission."""
    return permission in permissions_of(role)


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """Return the roles that have a permission, the mightiest first."""
    return tuple(role for role in Role if allows(role, permission))


def may_view_prompts(role: str, *, are_shared: bool) -> bool:
    """Say whether a role sees prompts that others wrote.

    Args:
        role: The viewer's.
        are_shared: Whether the organization shows its prompts to all developers.
    """
    return allows(role, Permission.VIEW_PROMPTS) or (are_shared and role == Role.DEVELOPER)


def may_grant(granter: str, role: str) -> bool:
    """Say whether someone may give a role, or take it away: only owners make or end owners."""
    return allows(granter, Permission.MANAGE_MEMBERS) and (
        role != Role.OWNER or allows(granter, Permission.TRANSFER_OWNERSHIP)
    )
