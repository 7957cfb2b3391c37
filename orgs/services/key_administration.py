"""Administering API keys: minting, changing, rotating, revoking and handing them over.

People need `manage_keys`, or `manage_own_keys` for those that are theirs; a key is whose who made
it, or got it handed over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from orgs.errors import (
    ApiKeyNotFoundError,
    InvalidInputError,
    MemberNotFoundError,
    OrganizationClosedError,
    OrganizationNotFoundError,
    PermissionDeniedError,
)
from orgs.models import ApiKey, Membership, Organization, lock_organization
from orgs.permissions import Permission, allows
from orgs.secrets import fingerprint, new_secret
from orgs.services.api_keys import Rates, require_alive
from orgs.services.audit import Action, Actor, Target, record, role_of, snapshot
from orgs.services.outbox import EventType, write_event

SCOPES: Final = ("images:read", "images:write", "billing:read", "webhooks:write")
NAME_MAX_LENGTH: Final = 200
LONGEST_OVERLAP: Final = timedelta(days=30)
_POLICY_FIELDS: Final = (
    "name",
    "scopes",
    "models_allowed",
    "cidrs",
    "max_concurrent",
    "requests_per_minute",
    "images_per_minute",
    "expires_at",
)


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What a key may do. Empty scopes, models and networks mean all, a limit of None no limit."""

    name: str
    livemode: bool = True
    scopes: Sequence[str] = ()
    models_allowed: Sequence[str] = ()
    cidrs: Sequence[str] = ()
    max_concurrent: int | None = None
    rates: Rates = field(default_factory=Rates)
    expires_at: datetime | None = None


def create_api_key(
    *, organization: Organization, policy: KeyPolicy, actor: Actor
) -> tuple[ApiKey, str]:
    """Mint a key and return its row and its secret, which is never to be had again.

    Joins the caller's transaction, and locks the organization, so that nobody is removed from it
    while they make a key; the caller opens the key's budget in the same one.

    Raises:
        InvalidInputError: A blank name, an unknown scope, a malformed network, a limit that cannot
            be, or a naive expiry.
        PermissionDeniedError: The person may not have keys here.
        OrganizationClosedError: The organization is to be deleted.
    """
    _check_policy(policy)
    secret = new_secret(livemode=policy.livemode)
    with transaction.atomic():
        locked = lock_organization(organization.id)
        if locked is None:
            raise OrganizationNotFoundError(f"There is no organization {organization.id}.")
        if locked.deletion_requested_at is not None:
            raise OrganizationClosedError("This organization is to be deleted: no new keys.")
        _require_may_manage(organization.id, actor, owner_id=actor.user_id)
        api_key = ApiKey(
            organization=locked,
            created_by_id=actor.user_id,
            livemode=policy.livemode,
            lookup=secret.lookup,
            digest=secret.digest(settings.API_KEY_HMAC_SECRET),
            hashed_by=fingerprint(settings.API_KEY_HMAC_SECRET),
        )
        _apply(policy, api_key)
        api_key.save(force_insert=True)
        _log(Action.API_KEY_CREATED, api_key, actor, after=_policy_of(api_key))
    return api_key, secret.text


def change_api_key(
    *, organization_id: UUID, api_key_id: UUID, policy: KeyPolicy, actor: Actor, now: datetime
) -> ApiKey:
    """Give a key other terms; they hold in every process within a second. Its mode stays.

    Raises:
        ApiKeyNotFoundError: The organization has no such key.
        RevokedApiKeyError, ExpiredApiKeyError: It has ended.
        InvalidInputError: A term cannot be.
        PermissionDeniedError: It is not the person's to change.
    """
    _check_policy(policy)
    with transaction.atomic():
        api_key = _locked(api_key_id, organization_id, actor)
        require_alive(revoked_at=api_key.revoked_at, expires_at=api_key.expires_at, now=now)
        before = _policy_of(api_key)
        _apply(policy, api_key)
        api_key.save(update_fields=_POLICY_FIELDS)
        if before != _policy_of(api_key):
            _log(Action.API_KEY_CHANGED, api_key, actor, before=before, after=_policy_of(api_key))
    return api_key


def rotate_api_key(
    *,
    api_key_id: UUID,
    overlap: timedelta,
    actor: Actor,
    now: datetime,
    organization_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    """Give a key a new secret and return both, in one transaction; it is never to be had again.

    The key stays the same row, so that its budget, limits, scopes and past are those of both
    secrets. The present secret works until the overlap ends, in every process within a second; the
    one before it, if an earlier overlap has not ended yet, stops at once.

    Args:
        api_key_id: The key.
        overlap: How long the present secret still works; zero ends it at once.
        actor: For whom.
        now: The instant the overlap begins.
        organization_id: The organization that asks; another one's key is unknown to it.

    Raises:
        ApiKeyNotFoundError: There is no such key.
        RevokedApiKeyError, ExpiredApiKeyError: It has ended, and a new secret would not work.
        InvalidInputError: The overlap is negative or longer than `LONGEST_OVERLAP`.
        PermissionDeniedError: It is not the person's to rotate.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidInputError(
            f"The overlap is from 0 to {LONGEST_OVERLAP.days} days.", param="overlap"
        )
    with transaction.atomic():
        api_key = _locked(api_key_id, organization_id, actor)
        require_alive(revoked_at=api_key.revoked_at, expires_at=api_key.expires_at, now=now)
        secret = new_secret(livemode=api_key.livemode)
        api_key.previous_lookup = api_key.lookup
        api_key.previous_digest = api_key.digest
        api_key.previous_hashed_by = api_key.hashed_by
        api_key.previous_expires_at = now + overlap
        api_key.lookup = secret.lookup
        api_key.digest = secret.digest(settings.API_KEY_HMAC_SECRET)
        api_key.hashed_by = fingerprint(settings.API_KEY_HMAC_SECRET)
        api_key.save(
            update_fields=[
                "lookup",
                "digest",
                "hashed_by",
                "previous_lookup",
                "previous_digest",
                "previous_hashed_by",
                "previous_expires_at",
            ]
        )
        _log(
            Action.API_KEY_ROTATED,
            api_key,
            actor,
            after={"old_works_until": api_key.previous_expires_at},
        )
    return api_key, secret.text


def revoke_api_key(
    *, api_key_id: UUID, actor: Actor, now: datetime, organization_id: UUID | None = None
) -> None:
    """Revoke a key for good; a second call changes nothing.

    Raises:
        ApiKeyNotFoundError: There is no such key, or it is another organization's.
        PermissionDeniedError: It is not the person's to revoke.
    """
    with transaction.atomic():
        api_key = _locked(api_key_id, organization_id, actor)
        if api_key.revoked_at is None:
            _revoke(api_key, actor, now)


def revoke_all(*, organization_id: UUID, actor: Actor, now: datetime) -> int:
    """Revoke every key of an organization; return how many. Joins the caller's transaction.

    For those who end the organization: the actor's permission is not looked at.
    """
    keys = ApiKey.objects.select_for_update(no_key=True).filter(
        organization_id=organization_id, revoked_at__isnull=True
    )
    alive = list(keys.order_by("id"))
    for api_key in alive:
        _revoke(api_key, actor, now)
    return len(alive)


def end_keys_of(
    *, organization_id: UUID, user_id: UUID, heir_id: UUID | None, actor: Actor, now: datetime
) -> int:
    """Hand a member's keys to another, or revoke them without one; return how many.

    Joins the caller's transaction, which has locked the organization and looked at permissions.

    Raises:
        MemberNotFoundError: The heir is no member.
        InvalidInputError: The heir is the member themself.
    """
    if heir_id == user_id:
        raise InvalidInputError("Choose another member for the keys.", param="keys")
    members = Membership.objects.select_related("user").filter(organization_id=organization_id)
    heir = members.filter(user_id=heir_id).first() if heir_id else None
    if heir_id is not None and heir is None:
        raise MemberNotFoundError("Whoever gets the keys must be a member.")
    keys = ApiKey.objects.select_for_update(no_key=True, of=("self",)).filter(
        organization_id=organization_id, created_by_id=user_id, revoked_at__isnull=True
    )
    alive = list(keys.select_related("created_by").order_by("id"))
    for api_key in alive:
        if heir is None:
            _revoke(api_key, actor, now)
            continue
        before = api_key.created_by.email if api_key.created_by else ""
        api_key.created_by = heir.user
        api_key.save(update_fields=["created_by"])
        _log(
            Action.API_KEY_HANDED_OVER,
            api_key,
            actor,
            before={"owner": before},
            after={"owner": heir.user.email},
        )
    return len(alive)


def _revoke(api_key: ApiKey, actor: Actor, now: datetime) -> None:
    api_key.revoked_at = now
    api_key.save(update_fields=["revoked_at"])
    _log(Action.API_KEY_REVOKED, api_key, actor)
    write_event(
        organization_id=api_key.organization_id,
        kind=EventType.API_KEY_REVOKED,
        data={
            "object": "api_key",
            "id": str(api_key.id),
            "name": api_key.name,
            "livemode": api_key.livemode,
            "revoked": int(now.timestamp()),
        },
        now=now,
    )


def _locked(api_key_id: UUID, organization_id: UUID | None, actor: Actor) -> ApiKey:
    owner = {} if organization_id is None else {"organization_id": organization_id}
    rows = ApiKey.objects.select_for_update(no_key=True)
    api_key = rows.filter(id=api_key_id, **owner).first()
    if api_key is None:
        raise ApiKeyNotFoundError(f"There is no API key {api_key_id}.")
    _require_may_manage(api_key.organization_id, actor, owner_id=api_key.created_by_id)
    return api_key


def _require_may_manage(organization_id: UUID, actor: Actor, *, owner_id: UUID | None) -> None:
    role = role_of(organization_id=organization_id, actor=actor)
    is_own = owner_id is not None and owner_id == actor.user_id
    if not (
        allows(role, Permission.MANAGE_KEYS)
        or (is_own and allows(role, Permission.MANAGE_OWN_KEYS))
    ):
        raise PermissionDeniedError("Your role does not allow you to manage this API key.")


def _apply(policy: KeyPolicy, api_key: ApiKey) -> None:
    api_key.name = policy.name.strip()
    api_key.scopes = list(policy.scopes)
    api_key.models_allowed = list(policy.models_allowed)
    api_key.cidrs = list(policy.cidrs)
    api_key.max_concurrent = policy.max_concurrent
    api_key.requests_per_minute = policy.rates.requests_per_minute
    api_key.images_per_minute = policy.rates.images_per_minute
    api_key.expires_at = policy.expires_at


def _policy_of(api_key: ApiKey) -> dict[str, object]:
    return {**snapshot(api_key, _POLICY_FIELDS), "livemode": api_key.livemode}


def _log(
    action: Action,
    api_key: ApiKey,
    actor: Actor,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    record(
        action=action,
        actor=actor,
        organization_id=api_key.organization_id,
        target=Target("api_key", api_key.id, api_key.name),
        before=before,
        after=after,
    )


def _check_policy(policy: KeyPolicy) -> None:
    if not 0 < len(policy.name.strip()) <= NAME_MAX_LENGTH:
        raise InvalidInputError(f"The name has 1 to {NAME_MAX_LENGTH} characters.", param="name")
    for scope in policy.scopes:
        if scope not in SCOPES:
            raise InvalidInputError(
                f"Unknown scope {scope!r}; known: {', '.join(SCOPES)}.", param="scopes"
            )
    for cidr in policy.cidrs:
        try:
            ip_network(cidr, strict=False)
        except ValueError as error:
            raise InvalidInputError(f"{cidr!r} is not a network: {error}.", param="cidr") from error
    if policy.max_concurrent is not None and policy.max_concurrent < 1:
        raise InvalidInputError("max_concurrent is at least 1.", param="max_concurrent")
    policy.rates.check()
    if policy.expires_at is not None and policy.expires_at.tzinfo is None:
        raise InvalidInputError("Give the expiry with its time zone.", param="expires")
