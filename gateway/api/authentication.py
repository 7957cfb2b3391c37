"""Bearer authentication by API key."""

from typing import cast

from django.db import connection
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from core.clock import now
from core.ids import request_id
from core.telemetry import context
from gateway.api.middleware import client_address, request_uuid
from orgs.errors import MissingApiKeyError
from orgs.services.api_keys import Caller, authenticate_key, authorize_caller, touch_last_used
from orgs.services.audit import Actor, Origin, api_key_actor

SCHEME = "bearer "


class ApiKeyAuthentication(BaseAuthentication):
    """Puts the `Caller` into `request.auth`. Errors pass as they are to the error mapping."""

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        """Return the caller.

        Raises:
            MissingApiKeyError: No key was sent.
            InvalidApiKeyError, RevokedApiKeyError, ExpiredApiKeyError: It cannot be used.
        """
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header[: len(SCHEME)].lower() == SCHEME or not header[len(SCHEME) :].strip():
            raise MissingApiKeyError(
                "You did not provide an API key. Send it as 'Authorization: Bearer lz_sk_...'."
            )
        moment = now()
        caller = authenticate_key(text=header[len(SCHEME) :].strip(), now=moment)
        context.add(organization_id=caller.organization_id)
        touch_last_used(caller=caller, now=moment)
        # The body may take its time to arrive; nothing is held meanwhile.
        connection.close()
        return None, caller


def django_request(request: Request) -> HttpRequest:
    """Return the request that DRF wraps, for reading a body whatever its declared type."""
    return request._request  # noqa: SLF001 - DRF has no public name for it


def caller_of(request: Request, *, scope: str) -> Caller:
    """Return the authenticated caller, checked for a scope and an address.

    Raises:
        InsufficientScopeError, IpNotAllowedError: The key may not do this, or not from there.
    """
    caller = cast("Caller", request.auth)
    authorize_caller(caller=caller, scope=scope, address=client_address(django_request(request)))
    return caller


def api_actor(request: Request, caller: Caller) -> Actor:
    """Return the calling key as the actor of what it administers."""
    assert caller.api_key_id is not None  # noqa: S101 - the API authenticates by keys alone
    plain = django_request(request)
    origin = Origin(
        ip=client_address(plain),
        user_agent=plain.headers.get("User-Agent", ""),
        request_id=request_id(request_uuid(plain)),
    )
    return api_key_actor(caller.api_key_id, origin=origin)
