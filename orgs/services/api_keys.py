"""Minting, checking and revoking API keys."""

import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from ipaddress import ip_address, ip_network
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from orgs.errors import (
    ExpiredApiKeyError,
    InsufficientScopeError,
    InvalidApiKeyError,
    InvalidInputError,
    IpNotAllowedError,
    OrganizationSuspendedError,
    RevokedApiKeyError,
)
from orgs.models import ApiKey, Organization
from orgs.secrets import Secret, new_secret, parse_secret

SCOPES = ("images:read", "images:write", "billing:read", "webhooks:write")
CACHE_TTL_S = 1.0
CACHE_MAX_KEYS = 10_000
LAST_USED_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated key and the settings of its organization, as of at most a second ago."""

    api_key_id: UUID
    organization_id: UUID
    livemode: bool
    currency: str
    time_zone: str
    image_policy: str
    default_model: str
    allow_substitution: bool
    is_demo: bool
    suspended: bool
    scopes: frozenset[str]
    models_allowed: frozenset[str]
    cidrs: tuple[str, ...]
    organization_max_concurrent: int | None
    key_max_concurrent: int | None
    digest: bytes
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class CallerCache:
    """What this process has read of keys, each for at most `CACHE_TTL_S`.

    No bus tells processes of a revocation: the short life of an entry is what bounds its delay.
    """

    def __init__(self) -> None:
        self._callers: dict[str, tuple[float, Caller]] = {}
        self._touched: dict[UUID, datetime] = {}

    def get(self, lookup: str) -> Caller | None:
        """Return the caller read within the last second, or None."""
        found = self._callers.get(lookup)
        if found is None or found[0] < time.monotonic():
            return None
        return found[1]

    def put(self, lookup: str, caller: Caller) -> None:
        """Keep a caller for a second."""
        if len(self._callers) >= CACHE_MAX_KEYS:
            self._callers.clear()
        self._callers[lookup] = (time.monotonic() + CACHE_TTL_S, caller)

    def should_touch(self, caller: Caller, now: datetime) -> bool:
        """Say whether `last_used_at` is due, at most once a minute per key and process."""
        last = max(
            filter(None, (self._touched.get(caller.api_key_id), caller.last_used_at)), default=None
        )
        if last is not None and now - last < LAST_USED_RESOLUTION:
            return False
        if len(self._touched) >= CACHE_MAX_KEYS:
            self._touched.clear()
        self._touched[caller.api_key_id] = now
        return True


@cache
def caller_cache() -> CallerCache:
    """Return this process's cache."""
    return CallerCache()


def create_api_key(
    *,
    organization: Organization,
    name: str,
    livemode: bool = True,
    scopes: Sequence[str] = (),
    models_allowed: Sequence[str] = (),
    cidrs: Sequence[str] = (),
    max_concurrent: int | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Mint a key and return its row and its secret, which is never to be had again.

    Joins the caller's transaction; the caller opens the key's budget in the same one.

    Raises:
        InvalidInputError: An unknown scope, a malformed network or a naive expiry.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise InvalidInputError(
                f"Unknown scope {scope!r}; known: {', '.join(SCOPES)}.", param="scopes"
            )
    for cidr in cidrs:
        try:
            ip_network(cidr, strict=False)
        except ValueError as error:
            raise InvalidInputError(f"{cidr!r} is not a network: {error}.", param="cidr") from error
    if expires_at is not None and expires_at.tzinfo is None:
        raise InvalidInputError("Give the expiry with its time zone.", param="expires")
    secret = new_secret(livemode=livemode)
    api_key = ApiKey.objects.create(
        organization=organization,
        name=name,
        livemode=livemode,
        lookup=secret.lookup,
        digest=secret.digest(settings.API_KEY_HMAC_SECRET),
        scopes=list(scopes),
        models_allowed=list(models_allowed),
        cidrs=list(cidrs),
        max_concurrent=max_concurrent,
        expires_at=expires_at,
    )
    return api_key, secret.text


def authenticate_key(*, text: str, now: datetime) -> Caller:
    """Return the caller behind a secret. One query at most, none within a second of the last.

    Raises:
        InvalidApiKeyError: Malformed or unknown.
        RevokedApiKeyError: Revoked; effective in every process within `CACHE_TTL_S`.
        ExpiredApiKeyError: Past its expiry.
    """
    secret = parse_secret(text)
    if secret is None:
        raise InvalidApiKeyError(
            "Incorrect API key provided. Lienzo keys start with lz_sk_live_ or lz_sk_test_."
        )
    caller = caller_cache().get(secret.lookup) or _read_caller(secret)
    if not hmac.compare_digest(caller.digest, secret.digest(settings.API_KEY_HMAC_SECRET)):
        raise InvalidApiKeyError("Incorrect API key provided.")
    if caller.revoked_at is not None and caller.revoked_at <= now:
        raise RevokedApiKeyError("This API key was revoked. Use another key.")
    if caller.expires_at is not None and caller.expires_at <= now:
        raise ExpiredApiKeyError("This API key has expired. Create a new key.")
    return caller


def touch_last_used(*, caller: Caller, now: datetime) -> None:
    """Record that the key was used, at most once a minute per process."""
    if caller_cache().should_touch(caller, now):
        ApiKey.objects.filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=now), id=caller.api_key_id
        ).update(last_used_at=now)


def authorize_caller(*, caller: Caller, scope: str, address: str) -> None:
    """Check what the key may do and from where.

    Raises:
        InsufficientScopeError: The key lacks `scope`.
        IpNotAllowedError: `address` is in none of the key's networks.
    """
    if caller.scopes and scope not in caller.scopes:
        raise InsufficientScopeError(f"This API key lacks the scope {scope}.")
    if caller.cidrs:
        client = ip_address(address)
        if not any(client in ip_network(cidr, strict=False) for cidr in caller.cidrs):
            raise IpNotAllowedError(f"This API key may not be used from {address}.")


def require_active(*, caller: Caller) -> None:
    """Refuse a suspended organization.

    Raises:
        OrganizationSuspendedError: It is suspended.
    """
    if caller.suspended:
        raise OrganizationSuspendedError(
            "This organization is suspended. Ask its owner to settle the account."
        )


def revoke_api_key(*, api_key_id: UUID, now: datetime) -> None:
    """Revoke a key for good; a second call changes nothing."""
    ApiKey.objects.filter(id=api_key_id, revoked_at__isnull=True).update(revoked_at=now)


def _read_caller(secret: Secret) -> Caller:
    row = (
        ApiKey.objects.select_related("organization")
        .filter(lookup=secret.lookup, livemode=secret.livemode)
        .first()
    )
    if row is None:
        raise InvalidApiKeyError("Incorrect API key provided.")
    organization = row.organization
    caller = Caller(
        api_key_id=row.id,
        organization_id=organization.id,
        livemode=row.livemode,
        currency=organization.currency,
        time_zone=organization.time_zone,
        image_policy=organization.image_policy,
        default_model=organization.default_model,
        allow_substitution=organization.allow_substitution,
        is_demo=organization.is_demo,
        suspended=organization.suspended_at is not None,
        scopes=frozenset(row.scopes),
        models_allowed=frozenset(row.models_allowed),
        cidrs=tuple(row.cidrs),
        organization_max_concurrent=organization.max_concurrent,
        key_max_concurrent=row.max_concurrent,
        digest=bytes(row.digest),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
    caller_cache().put(secret.lookup, caller)
    return caller
