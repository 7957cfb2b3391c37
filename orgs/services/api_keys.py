"""Who calls: API keys as they are checked, and what is known of the organization behind them."""

import hmac
import time
from dataclasses import dataclass, replace
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
from orgs.models import ApiKey
from orgs.secrets import Secret, fingerprint, parse_secret

CACHE_TTL_S = 1.0
CACHE_MAX_KEYS = 10_000
LAST_USED_RESOLUTION = timedelta(minutes=1)
# Each request and image of the last minute is an entry in Valkey.
MOST_PER_MINUTE = 100_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits per minute; None is no limit."""

    requests_per_minute: int | None = None
    images_per_minute: int | None = None

    def check(self) -> None:
        """Refuse a limit that cannot be.

        Raises:
            InvalidInputError: One is below 1 or above what is counted.
        """
        for name in ("requests_per_minute", "images_per_minute"):
            limit = getattr(self, name)
            if limit is not None and not 1 <= limit <= MOST_PER_MINUTE:
                raise InvalidInputError(f"{name} is from 1 to {MOST_PER_MINUTE}.", param=name)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated key and the settings of its organization, as of at most a second ago.

    Someone who asks in the console is one too, with a user's id in place of a key's.

    Attributes:
        suspended: The organization is, or is to be deleted.
        digest: Of the secret by which the key was found, the present one or the one before.
        replaced_at: When that secret stops working, if it is the one before.
        lookup: How the row was found.
        hashed_by: By which secret of the server that row's digest was made; see `ApiKey`.
        due_digest: What is to be in its place, if that is not the present one.
    """

    api_key_id: UUID | None
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
    organization_rates: Rates
    key_rates: Rates
    digest: bytes
    replaced_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    user_id: UUID | None = None
    organization_models_allowed: frozenset[str] = frozenset()
    lookup: str = ""
    hashed_by: str = ""
    due_digest: bytes | None = None


class CallerCache:
    """What this process has read of keys, each for at most `CACHE_TTL_S`.

    No bus tells processes of a revocation: the short life of an entry is what bounds its delay.
    """

    def __init__(self) -> None:
        self._callers: dict[str, tuple[float, Caller]] = {}
        self._touched: dict[UUID | None, datetime] = {}

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


def authenticate_key(*, text: str, now: datetime) -> Caller:
    """Return the caller behind a secret. One query at most, none within a second of the last.

    Raises:
        InvalidApiKeyError: Malformed or unknown.
        RevokedApiKeyError: Revoked; effective in every process within `CACHE_TTL_S`.
        ExpiredApiKeyError: Past its expiry, or replaced and past the overlap.
    """
    secret = parse_secret(text)
    if secret is None:
        raise InvalidApiKeyError(
            "Incorrect API key provided. Lienzo keys start with lz_sk_live_ or lz_sk_test_."
        )
    caller = caller_cache().get(secret.lookup) or _read_caller(secret)
    digest = secret.digest(settings.API_KEY_HMAC_SECRET)
    if not hmac.compare_digest(caller.digest, digest) and not _is_of_previous(secret, caller):
        raise InvalidApiKeyError("Incorrect API key provided.")
    require_alive(revoked_at=caller.revoked_at, expires_at=caller.expires_at, now=now)
    if caller.replaced_at is not None and caller.replaced_at <= now:
        raise ExpiredApiKeyError("This API key was replaced by a new one. Use that one.")
    if caller.hashed_by != fingerprint(settings.API_KEY_HMAC_SECRET):
        return replace(caller, due_digest=digest)
    return caller


def touch_last_used(*, caller: Caller, now: datetime) -> None:
    """Record that the key was used, at most once a minute per process.

    The same write hashes it by the server's present secret where another had, so that a rotation of
    that secret writes no row more often than use does: not even while processes that take different
    secrets for the present one serve side by side, and undo each other's.
    """
    if caller.api_key_id is None or not caller_cache().should_touch(caller, now):
        return
    rows = ApiKey.objects.filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lt=now), id=caller.api_key_id
    )
    if caller.due_digest is None:
        rows.update(last_used_at=now)
        return
    hashed_by = fingerprint(settings.API_KEY_HMAC_SECRET)
    # A rotation of the key in between has moved the secret, and is left alone.
    if caller.replaced_at is None:
        rows.filter(lookup=caller.lookup).update(
            last_used_at=now, digest=caller.due_digest, hashed_by=hashed_by
        )
    else:
        rows.filter(previous_lookup=caller.lookup).update(
            last_used_at=now, previous_digest=caller.due_digest, previous_hashed_by=hashed_by
        )


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


def require_alive(
    *, revoked_at: datetime | None, expires_at: datetime | None, now: datetime
) -> None:
    """Refuse a key that has ended.

    Raises:
        RevokedApiKeyError, ExpiredApiKeyError: It has.
    """
    if revoked_at is not None and revoked_at <= now:
        raise RevokedApiKeyError("This API key was revoked. Use another key.")
    if expires_at is not None and expires_at <= now:
        raise ExpiredApiKeyError("This API key has expired. Create a new key.")


def _is_of_previous(secret: Secret, caller: Caller) -> bool:
    return any(
        hmac.compare_digest(caller.digest, secret.digest(key))
        for key in settings.API_KEY_HMAC_PREVIOUS_SECRETS
    )


def _read_caller(secret: Secret) -> Caller:
    row = (
        ApiKey.objects.select_related("organization")
        .filter(
            Q(lookup=secret.lookup) | Q(previous_lookup=secret.lookup), livemode=secret.livemode
        )
        .first()
    )
    if row is None:
        raise InvalidApiKeyError("Incorrect API key provided.")
    organization = row.organization
    is_present = row.lookup == secret.lookup
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
        suspended=organization.is_stopped,
        scopes=frozenset(row.scopes),
        models_allowed=frozenset(row.models_allowed),
        organization_models_allowed=frozenset(organization.allowed_models),
        cidrs=tuple(row.cidrs),
        organization_max_concurrent=organization.max_concurrent,
        key_max_concurrent=row.max_concurrent,
        organization_rates=Rates(organization.requests_per_minute, organization.images_per_minute),
        key_rates=Rates(row.requests_per_minute, row.images_per_minute),
        lookup=secret.lookup,
        digest=bytes(row.digest if is_present else row.previous_digest or b""),
        hashed_by=row.hashed_by if is_present else row.previous_hashed_by,
        replaced_at=None if is_present else row.previous_expires_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
    caller_cache().put(secret.lookup, caller)
    return caller
