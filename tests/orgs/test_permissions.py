"""The table of roles, as code and as the page shows it."""

import pytest

from orgs.permissions import (
    Permission,
    Role,
    allows,
    may_grant,
    may_view_prompts,
    permissions_of,
    roles_with,
)
from tests.architecture.tree import DOCS, table_rows


def test_page_shows_the_table():
    shown = {
        row[0].strip("`"): tuple(cell == "yes" for cell in row[2:])
        for row in table_rows(DOCS / "organizations.md")
        if row[0].strip("`") in set(Permission)
    }

    assert shown == {
        permission.value: tuple(allows(role, permission) for role in Role)
        for permission in Permission
    }


def test_owner_may_everything_and_a_stranger_nothing():
    assert permissions_of("owner") == set(Permission)
    assert permissions_of("") == permissions_of("root") == frozenset()


def test_owner_alone_decides_about_the_organization_itself():
    assert roles_with(Permission.TRANSFER_OWNERSHIP) == (Role.OWNER,)
    assert roles_with(Permission.DELETE_ORGANIZATION) == (Role.OWNER,)
    assert roles_with(Permission.MANAGE_MEMBERS) == (Role.OWNER, Role.ADMIN)


@pytest.mark.parametrize(
    ("role", "are_shared", "sees"),
    [
        ("admin", False, True),
        ("developer", False, False),
        ("developer", True, True),
        ("viewer", True, False),
        ("billing", True, False),
    ],
)
def test_prompts_of_others_are_seen_by_developers_only_where_shared(role, are_shared, sees):
    assert may_view_prompts(role, are_shared=are_shared) is sees


def test_only_an_owner_makes_or_ends_an_owner():
    assert may_grant("owner", "owner")
    assert may_grant("admin", "admin")
    assert not may_grant("admin", "owner")
    assert not may_grant("developer", "viewer")
