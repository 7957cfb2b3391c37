"""Commands that mint, rotate and revoke keys, and set what an organization may do."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from billing.models import Budget
from core.clock import now
from orgs.errors import ApiKeyNotFoundError, InvalidInputError
from orgs.models import ApiKey, Organization
from orgs.services.api_keys import authenticate_key
from orgs.services.audit import SYSTEM
from orgs.services.key_administration import revoke_api_key, rotate_api_key

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    printed: dict[str, Any] = json.loads(out.getvalue())
    return printed


@pytest.fixture
def organization_id() -> str:
    return str(run("create_org", "Keys", "--currency", "USD")["id"])


def test_every_term_of_a_key_is_kept_and_printed(organization_id):
    printed = run(
        *("create_api_key", organization_id, "--name", "laptop", "--budget", "2.10"),
        *("--models", "dall-e-3, fal/flux-1.1-pro", "--scopes", "images:read,images:write"),
        *("--cidr", "10.0.0.0/8,::1/128", "--expires", "2031-01-01T00:00:00+01:00"),
        *("--requests-per-minute", "60", "--images-per-minute", "120", "--concurrent", "20"),
    )

    row = ApiKey.objects.get(id=printed["id"])
    assert (row.name, row.livemode, row.max_concurrent) == ("laptop", True, 20)
    assert (row.requests_per_minute, row.images_per_minute) == (60, 120)
    assert row.models_allowed == printed["models"] == ["dall-e-3", "fal/flux-1.1-pro"]
    assert row.scopes == printed["scopes"] == ["images:read", "images:write"]
    assert row.cidrs == printed["cidr"] == ["10.0.0.0/8", "::1/128"]
    assert row.expires_at == datetime(2030, 12, 31, 23, tzinfo=UTC)
    assert Budget.objects.get(api_key=row).limit_micros == 2_100_000
    assert authenticate_key(text=printed["key"], now=now()).api_key_id == row.id


def test_key_has_no_limit_unless_told(organization_id):
    row = ApiKey.objects.get(id=run("create_api_key", organization_id)["id"])

    limits = (row.max_concurrent, row.requests_per_minute, row.images_per_minute, row.expires_at)
    assert limits == (None,) * 4
    assert (row.scopes, row.models_allowed, row.cidrs) == ([], [], [])


@pytest.mark.parametrize(
    "wrong",
    [
        ("--scopes", "images:draw"),
        ("--models", "dall-e-9"),
        ("--cidr", "10.0.0.0/33"),
        ("--cidr", "here"),
        ("--expires", "2031-01-01T00:00:00"),
        ("--expires", "tomorrow"),
        ("--budget", "-1"),
        ("--budget", "much"),
        ("--requests-per-minute", "0"),
        ("--images-per-minute", "-5"),
        ("--images-per-minute", "1000000000"),
        ("--concurrent", "0"),
        ("--name", " "),
        ("--name", "n" * 201),
    ],
)
def test_term_that_cannot_be_mints_nothing(wrong, organization_id):
    with pytest.raises(CommandError):
        run("create_api_key", organization_id, *wrong)

    assert not ApiKey.objects.filter(organization_id=organization_id).exists()


def test_organization_has_the_limits_it_is_given():
    given = run(
        *("create_org", "Limited", "--currency", "EUR", "--concurrent", "20"),
        *("--requests-per-minute", "60", "--images-per-minute", "120"),
    )
    free = run("create_org", "Free", "--currency", "EUR")

    def limits(printed):
        row = Organization.objects.get(id=printed["id"])
        return row.requests_per_minute, row.images_per_minute, row.max_concurrent

    assert limits(given) == (60, 120, 20)
    assert limits(free) == (None, None, None)
    with pytest.raises(CommandError):
        run("create_org", "Wrong", "--currency", "EUR", "--images-per-minute", "0")


@pytest.mark.parametrize(
    ("overlap", "seconds"),
    [("24h", 86_400), ("90s", 90), ("30m", 1_800), ("7d", 604_800), ("0", 0), ("0s", 0)],
)
def test_rotation_prints_the_new_secret_and_when_the_old_one_ends(
    overlap, seconds, organization_id
):
    key = run("create_api_key", organization_id, "--concurrent", "3")
    before = now()

    printed = run("rotate_api_key", key["id"], "--overlap", overlap)

    ends = datetime.fromisoformat(printed["old_key_works_until"])
    assert abs(ends - before - timedelta(seconds=seconds)) < timedelta(seconds=30)
    assert (printed["id"], printed["concurrent"]) == (key["id"], 3)
    assert str(authenticate_key(text=printed["key"], now=now()).api_key_id) == key["id"]


@pytest.mark.parametrize("overlap", ["", "soon", "-1h", "1", "1w", "31d", "24 h"])
def test_overlap_that_cannot_be_rotates_nothing(overlap, organization_id):
    key = run("create_api_key", organization_id)

    with pytest.raises(CommandError):
        run("rotate_api_key", key["id"], f"--overlap={overlap}")

    assert authenticate_key(text=key["key"], now=now()).replaced_at is None


def test_ended_and_unknown_keys_are_not_rotated(organization_id):
    revoked = run("create_api_key", organization_id)
    revoke_api_key(api_key_id=revoked["id"], actor=SYSTEM, now=now())
    expired = run("create_api_key", organization_id, "--expires", "2020-01-01T00:00:00Z")

    for key_id in (revoked["id"], expired["id"], str(uuid4())):
        with pytest.raises(CommandError):
            run("rotate_api_key", key_id)


def test_another_organizations_key_is_unknown(organization_id):
    key = run("create_api_key", organization_id)

    with pytest.raises(ApiKeyNotFoundError):
        rotate_api_key(
            api_key_id=key["id"],
            organization_id=uuid4(),
            overlap=timedelta(0),
            actor=SYSTEM,
            now=now(),
        )
    with pytest.raises(InvalidInputError):
        rotate_api_key(api_key_id=key["id"], overlap=timedelta(days=31), actor=SYSTEM, now=now())
