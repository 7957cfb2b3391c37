"""Endpoints of webhooks: created, changed, tested; and their deliveries, listed and sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from orgs.errors import InvalidInputError, WebhookNotFoundError
from orgs.models import Organization, OutboxEvent, WebhookDelivery, WebhookEndpoint
from orgs.services.audit import Action, Actor, Target, record, snapshot
from orgs.services.outbox import RETRY_HOURS, TEST_EVENT, EventType
from orgs.services.signing import new_secret, seal
from orgs.services.targets import check_url

# Also the types of what these services return.
__all__ = [
    "DELIVERY_PREFIX",
    "WEBHOOK_PREFIX",
    "Changes",
    "WebhookDelivery",
    "WebhookEndpoint",
    "change_endpoint",
    "create_endpoint",
    "delete_endpoint",
    "delivery_id",
    "get_endpoint",
    "list_deliveries",
    "list_endpoints",
    "message_id",
    "prune_deliveries",
    "redeliver",
    "rotate_secret",
    "send_test",
    "webhook_id",
]
WEBHOOK_PREFIX: Final = "wh_"
DELIVERY_PREFIX: Final = "whd_"
MESSAGE_PREFIX: Final = "evt_"
MAX_ENDPOINTS: Final = 20
ROTATION_OVERLAP: Final = timedelta(hours=24)
DELIVERIES_KEPT: Final = timedelta(days=30)
_LOGGED: Final = ("url", "events", "is_enabled")
_PRUNE_BATCH: Final = 5_000
_RETRIES_LAST: Final = timedelta(hours=RETRY_HOURS)


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of an endpoint; None leaves as it is."""

    url: str | None = None
    events: Sequence[str] | None = None
    is_enabled: bool | None = None


def create_endpoint(
    *, organization_id: UUID, url: str, events: Sequence[str], actor: Actor
) -> tuple[WebhookEndpoint, str]:
    """Create an endpoint; return it and its secret, which is never shown again.

    The URL's host is looked up before the transaction begins.

    Raises:
        InvalidInputError: A forbidden target, an unknown event, or too many endpoints.
    """
    wanted = _checked_events(events)
    check_url(url)
    secret = new_secret()
    with transaction.atomic():
        # One creation at a time; what refers to the organization's row does not wait for it.
        Organization.objects.select_for_update(no_key=True).get(id=organization_id)
        if _of(organization_id).count() >= MAX_ENDPOINTS:
            raise InvalidInputError(
                f"An organization has at most {MAX_ENDPOINTS} webhooks. Delete one first."
            )
        endpoint = WebhookEndpoint.objects.create(
            organization_id=organization_id, url=url, events=wanted, secret=seal(secret)
        )
        _log(Action.WEBHOOK_CREATED, endpoint, actor, after=snapshot(endpoint, _LOGGED))
    return endpoint, secret


def list_endpoints(*, organization_id: UUID) -> list[WebhookEndpoint]:
    """Return an organization's endpoints, newest first."""
    return list(_of(organization_id).order_by("-created_at", "-id"))


def get_endpoint(*, organization_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """Return an endpoint of the organization.

    Raises:
        WebhookNotFoundError: It does not exist, or belongs to another organization.
    """
    endpoint = _of(organization_id).filter(id=endpoint_id).first()
    if endpoint is None:
        raise WebhookNotFoundError("No such webhook.")
    return endpoint


def change_endpoint(
    *, organization_id: UUID, endpoint_id: UUID, changes: Changes, actor: Actor
) -> WebhookEndpoint:
    """Change an endpoint. What waits for one that is switched on again is then sent.

    Raises:
        WebhookNotFoundError: No such endpoint.
        InvalidInputError: A forbidden target or an unknown event.
    """
    events = None if changes.events is None else _checked_events(changes.events)
    if changes.url is not None:
        check_url(changes.url)
    with transaction.atomic():
        endpoint = _locked(organization_id, endpoint_id)
        before = snapshot(endpoint, _LOGGED)
        if changes.url is not None:
            endpoint.url = changes.url
        if events is not None:
            endpoint.events = events
        if changes.is_enabled is True:
            endpoint.is_enabled, endpoint.disabled_reason = True, ""
        elif changes.is_enabled is False and endpoint.is_enabled:
            endpoint.is_enabled = False
            endpoint.disabled_reason = WebhookEndpoint.DisabledReason.REQUEST
        endpoint.save(update_fields=["url", "events", "is_enabled", "disabled_reason"])
        after = snapshot(endpoint, _LOGGED)
        if before != after:
            _log(Action.WEBHOOK_CHANGED, endpoint, actor, before=before, after=after)
    return endpoint


def delete_endpoint(
    *, organization_id: UUID, endpoint_id: UUID, actor: Actor, now: datetime
) -> None:
    """Delete an endpoint; what waits for it is not sent, and its secrets are forgotten.

    Raises:
        WebhookNotFoundError: No such endpoint.
    """
    with transaction.atomic():
        endpoint = _locked(organization_id, endpoint_id)
        _log(Action.WEBHOOK_DELETED, endpoint, actor, before=snapshot(endpoint, _LOGGED))
        WebhookEndpoint.objects.filter(id=endpoint_id).update(
            deleted_at=now, secret=b"", previous_secret=None, previous_secret_until=None
        )


def rotate_secret(
    *, organization_id: UUID, endpoint_id: UUID, actor: Actor, now: datetime
) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret; the one before signs, too, for `ROTATION_OVERLAP`.

    A second rotation within that time ends the oldest secret at once.

    Raises:
        WebhookNotFoundError: No such endpoint.
    """
    secret = new_secret()
    with transaction.atomic():
        endpoint = _locked(organization_id, endpoint_id)
        endpoint.previous_secret = endpoint.secret
        endpoint.previous_secret_until = now + ROTATION_OVERLAP
        endpoint.secret = seal(secret)
        endpoint.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
        old_signs_until = {"old_signs_until": endpoint.previous_secret_until}
        _log(Action.WEBHOOK_SECRET_ROTATED, endpoint, actor, after=old_signs_until)
    return endpoint, secret


def send_test(*, organization_id: UUID, endpoint_id: UUID, now: datetime) -> WebhookDelivery:
    """Queue an event of type `webhook.test` for this endpoint alone.

    Raises:
        WebhookNotFoundError: No such endpoint.
        InvalidInputError: It is switched off.
    """
    with transaction.atomic():
        endpoint = _locked(organization_id, endpoint_id)
        _require_enabled(endpoint)
        event = OutboxEvent.objects.create(
            organization_id=organization_id,
            type=TEST_EVENT,
            data={"object": "webhook", "id": webhook_id(endpoint.id)},
            created_at=now,
        )
        return WebhookDelivery.objects.create(
            event=event,
            endpoint=endpoint,
            next_at=now,
            give_up_at=now + _RETRIES_LAST,
            created_at=now,
        )


def list_deliveries(
    *, organization_id: UUID, endpoint_id: UUID, limit: int, after: UUID | None
) -> tuple[list[WebhookDelivery], bool]:
    """Return deliveries of an endpoint with their events, newest first, and whether more follow.

    Args:
        organization_id: Whose endpoint.
        endpoint_id: The endpoint.
        limit: How many at most.
        after: Go on after this delivery.

    Raises:
        WebhookNotFoundError: No such endpoint.
        InvalidInputError: It has no delivery `after`.
    """
    endpoint = get_endpoint(organization_id=organization_id, endpoint_id=endpoint_id)
    rows = endpoint.deliveries.select_related("event").order_by("-created_at", "-id")
    if after is not None:
        last = endpoint.deliveries.filter(id=after).values_list("created_at", "id").first()
        if last is None:
            raise InvalidInputError("`after` is not a delivery of this webhook.", param="after")
        rows = rows.filter(Q(created_at__lt=last[0]) | Q(created_at=last[0], id__lt=last[1]))
    found = list(rows[: limit + 1])
    return found[:limit], len(found) > limit


def redeliver(
    *, organization_id: UUID, endpoint_id: UUID, delivery_id: UUID, now: datetime
) -> WebhookDelivery:
    """Queue a delivery again, whatever became of it, under the id it had.

    Raises:
        WebhookNotFoundError: No such delivery.
        InvalidInputError: The endpoint is switched off.
    """
    with transaction.atomic():
        endpoint = get_endpoint(organization_id=organization_id, endpoint_id=endpoint_id)
        _require_enabled(endpoint)
        delivery = (
            WebhookDelivery.objects.select_for_update(of=("self",))
            .select_related("event")
            .filter(id=delivery_id, endpoint=endpoint)
            .first()
        )
        if delivery is None:
            raise WebhookNotFoundError("No such delivery.")
        if delivery.claim_token is not None and (delivery.next_at or now) > now:
            # It is being sent at this moment.
            return delivery
        delivery.status = WebhookDelivery.Status.PENDING
        delivery.next_at = now
        delivery.claim_token = None
        delivery.failures = 0
        delivery.give_up_at = now + _RETRIES_LAST
        delivery.save()
    return delivery


def prune_deliveries(*, now: datetime) -> int:
    """Delete events with their deliveries, and deleted endpoints, past `DELIVERIES_KEPT`."""
    before = now - DELIVERIES_KEPT
    deleted = 0
    while ids := list(
        OutboxEvent.objects.filter(created_at__lt=before)
        .order_by("created_at")
        .values_list("id", flat=True)[:_PRUNE_BATCH]
    ):
        OutboxEvent.objects.filter(id__in=ids).delete()
        deleted += len(ids)
    WebhookEndpoint.objects.filter(deleted_at__lt=before).delete()
    return deleted


def webhook_id(endpoint_id: UUID) -> str:
    """Return an endpoint's public id."""
    return WEBHOOK_PREFIX + endpoint_id.hex


def delivery_id(delivery: UUID) -> str:
    """Return a delivery's public id."""
    return DELIVERY_PREFIX + delivery.hex


def message_id(event_id: UUID) -> str:
    """Return an event's public id, the `webhook-id` of each of its deliveries."""
    return MESSAGE_PREFIX + event_id.hex


def _of(organization_id: UUID) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(organization_id=organization_id, deleted_at__isnull=True)


def _locked(organization_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = _of(organization_id).select_for_update(no_key=True).filter(id=endpoint_id).first()
    if endpoint is None:
        raise WebhookNotFoundError("No such webhook.")
    return endpoint


def _log(
    action: Action,
    endpoint: WebhookEndpoint,
    actor: Actor,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    record(
        action=action,
        actor=actor,
        organization_id=endpoint.organization_id,
        target=Target("webhook", endpoint.id, endpoint.url),
        before=before,
        after=after,
    )


def _require_enabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_enabled:
        raise InvalidInputError("This webhook is switched off. Switch it on first: enabled true.")


def _checked_events(events: Sequence[str]) -> list[str]:
    """Return the events without repetitions, in their own order."""
    known = [kind.value for kind in EventType]
    for event in events:
        if event not in known:
            raise InvalidInputError(
                f"Unknown event {event[:40]!r}; known: {', '.join(known)}.", param="events"
            )
    if not events:
        raise InvalidInputError("Name at least one event.", param="events")
    return [kind for kind in known if kind in events]
