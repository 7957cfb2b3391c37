"""`/v1/webhooks`: endpoints, their deliveries, and what a delivery says."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import now
from core.ids import parse_id
from gateway.api.answers import generation_resource
from gateway.api.authentication import api_actor, caller_of, django_request
from gateway.api.bodies import parse_json, read_body
from gateway.errors import (
    InvalidJSONError,
    InvalidRequestError,
    MissingParameterError,
    NotFoundError,
)
from gateway.selectors.generations import get_generation
from orgs.services import webhooks
from orgs.services.api_keys import Caller
from orgs.services.dispatcher import Message
from orgs.services.webhooks import (
    DELIVERY_PREFIX,
    WEBHOOK_PREFIX,
    Changes,
    delivery_id,
    message_id,
    webhook_id,
)

SCOPE: Final = "webhooks:write"
PAGE_SIZE: Final = 20
PAGE_SIZE_MAX: Final = 100


class WebhooksView(APIView):
    """`POST` and `GET /v1/webhooks`."""

    def post(self, request: Request) -> Response:
        """Create a webhook; its secret is in this answer alone."""
        caller = caller_of(request, scope=SCOPE)
        body = _object(request)
        url, events = _url(body), _events(body)
        for name, value in (("url", url), ("events", events)):
            if value is None:
                raise MissingParameterError(f"`{name}` is required.", param=name)
        assert url is not None and events is not None  # noqa: S101, PT018 - checked above
        endpoint, secret = webhooks.create_endpoint(
            organization_id=caller.organization_id,
            url=url,
            events=events,
            actor=api_actor(request, caller),
        )
        return Response({**_resource(endpoint), "secret": secret}, status=201)

    def get(self, request: Request) -> Response:
        """List the organization's webhooks, newest first."""
        caller = caller_of(request, scope=SCOPE)
        found = webhooks.list_endpoints(organization_id=caller.organization_id)
        data = [_resource(endpoint) for endpoint in found]
        return Response(_list(data, has_more=False))


class WebhookView(APIView):
    """`GET`, `PATCH` and `DELETE /v1/webhooks/{id}`."""

    def get(self, request: Request, webhook: str) -> Response:
        """Return a webhook without its secret."""
        caller = caller_of(request, scope=SCOPE)
        return Response(_resource(webhooks.get_endpoint(**_own(caller, webhook))))

    def patch(self, request: Request, webhook: str) -> Response:
        """Change a webhook's URL or events, or switch it off or on."""
        caller = caller_of(request, scope=SCOPE)
        own = _own(caller, webhook)
        body = _object(request)
        changes = Changes(url=_url(body), events=_events(body), is_enabled=_enabled(body))
        actor = api_actor(request, caller)
        changed = webhooks.change_endpoint(**own, changes=changes, actor=actor)
        return Response(_resource(changed))

    def delete(self, request: Request, webhook: str) -> Response:
        """Delete a webhook; nothing more is sent to it."""
        caller = caller_of(request, scope=SCOPE)
        own = _own(caller, webhook)
        webhooks.delete_endpoint(**own, actor=api_actor(request, caller), now=now())
        return Response(
            {"id": webhook_id(own["endpoint_id"]), "object": "webhook.deleted", "deleted": True}
        )


class WebhookTestView(APIView):
    """`POST /v1/webhooks/{id}/test`."""

    def post(self, request: Request, webhook: str) -> Response:
        """Send a `webhook.test` event; the answer is its delivery, which is then under way."""
        caller = caller_of(request, scope=SCOPE)
        delivery = webhooks.send_test(**_own(caller, webhook), now=now())
        return Response(_delivery(delivery), status=202)


class WebhookSecretView(APIView):
    """`POST /v1/webhooks/{id}/rotate_secret`."""

    def post(self, request: Request, webhook: str) -> Response:
        """Draw a new secret; it is in this answer alone, and the old one signs for a while."""
        caller = caller_of(request, scope=SCOPE)
        actor = api_actor(request, caller)
        endpoint, secret = webhooks.rotate_secret(**_own(caller, webhook), actor=actor, now=now())
        return Response({**_resource(endpoint), "secret": secret})


class WebhookDeliveriesView(APIView):
    """`GET /v1/webhooks/{id}/deliveries`."""

    def get(self, request: Request, webhook: str) -> Response:
        """List a webhook's deliveries, newest first, each with its tries."""
        caller = caller_of(request, scope=SCOPE)
        found, has_more = webhooks.list_deliveries(
            **_own(caller, webhook), limit=_limit(request), after=_after(request)
        )
        return Response(_list([_delivery(one) for one in found], has_more=has_more))


class RedeliveryView(APIView):
    """`POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver`."""

    def post(self, request: Request, webhook: str, delivery: str) -> Response:
        """Send an event again, whatever became of it, under the same `webhook-id`."""
        caller = caller_of(request, scope=SCOPE)
        again = webhooks.redeliver(
            **_own(caller, webhook), delivery_id=_id(delivery, DELIVERY_PREFIX), now=now()
        )
        return Response(_delivery(again), status=202)


def data_of(message: Message) -> object | None:
    """Return what an event's message says: of a generation its resource as it is now.

    Two queries for a generation; None if it has been deleted.
    """
    generation = message.data.get("generation_id")
    if generation is None:
        return message.data
    try:
        view = get_generation(
            organization_id=message.organization_id, generation_id=UUID(str(generation))
        )
    except NotFoundError:
        return None
    return generation_resource(view)


def _own(caller: Caller, webhook: str) -> dict[str, UUID]:
    return {
        "organization_id": caller.organization_id,
        "endpoint_id": _id(webhook, WEBHOOK_PREFIX),
    }


def _id(text: str, prefix: str) -> UUID:
    uuid = parse_id(text, prefix)
    if uuid is None:
        raise NotFoundError("No such webhook or delivery.")
    return uuid


def _object(request: Request) -> Mapping[str, object]:
    """Return the body's object; nulls count as absent, unknown fields are ignored."""
    body = parse_json(read_body(django_request(request)))
    if not isinstance(body, dict):
        raise InvalidJSONError("The request body must be one JSON object.")
    return {name: value for name, value in body.items() if value is not None}


def _url(body: Mapping[str, object]) -> str | None:
    url = body.get("url")
    if url is not None and not isinstance(url, str):
        raise InvalidRequestError("`url` must be a string.", param="url")
    return url


def _events(body: Mapping[str, object]) -> list[str] | None:
    events = body.get("events")
    if events is None:
        return None
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise InvalidRequestError("`events` must be a list of strings.", param="events")
    return events


def _enabled(body: Mapping[str, object]) -> bool | None:
    enabled = body.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        raise InvalidRequestError("`enabled` must be true or false.", param="enabled")
    return enabled


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(PAGE_SIZE))
    # Longer text is not read as a number: that takes time by the square of its length.
    if text.isascii() and text.isdigit() and len(text) <= len(str(PAGE_SIZE_MAX)):
        limit = int(text)
        if 1 <= limit <= PAGE_SIZE_MAX:
            return limit
    raise InvalidRequestError(f"`limit` must be 1 to {PAGE_SIZE_MAX}.", param="limit")


def _after(request: Request) -> UUID | None:
    text = request.query_params.get("after")
    if text is None:
        return None
    uuid = parse_id(text, DELIVERY_PREFIX)
    if uuid is None:
        raise InvalidRequestError("`after` must be a delivery's id.", param="after")
    return uuid


def _list(data: list[dict[str, object]], *, has_more: bool) -> dict[str, object]:
    return {
        "object": "list",
        "data": data,
        "has_more": has_more,
        "last_id": data[-1]["id"] if data else None,
    }


def _resource(endpoint: webhooks.WebhookEndpoint) -> dict[str, object]:
    until = endpoint.previous_secret_until
    return {
        "id": webhook_id(endpoint.id),
        "object": "webhook",
        "url": endpoint.url,
        "events": endpoint.events,
        "enabled": endpoint.is_enabled,
        "disabled_reason": endpoint.disabled_reason or None,
        "created": int(endpoint.created_at.timestamp()),
        "previous_secret_expires": int(until.timestamp()) if until and until > now() else None,
    }


def _delivery(delivery: webhooks.WebhookDelivery) -> dict[str, object]:
    next_at = delivery.next_at
    return {
        "id": delivery_id(delivery.id),
        "object": "webhook.delivery",
        "webhook_id": message_id(delivery.event_id),
        "event": delivery.event.type,
        "status": delivery.status,
        "created": int(delivery.created_at.timestamp()),
        "next_try": int(next_at.timestamp()) if next_at else None,
        "tries": delivery.tries,
    }
