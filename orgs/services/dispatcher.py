"""Sending webhooks and mail: claim what is due, send it outside any transaction, record it.

Any number of dispatchers may run. A claim is a lease on the row, so that nothing is lost with the
one that made it: a delivery is made at least once, under the same `webhook-id` each time.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import DatabaseError, connection
from gevent.event import Event
from gevent.pool import Pool

from core.clock import now as clock_now
from core.http.client import HttpClient
from core.http.errors import (
    ConnectFailed,
    HttpError,
    InvalidTarget,
    ReadFailed,
    TargetRefused,
    TimedOut,
)
from core.ids import new_uuid
from core.metrics.health import Pulse
from core.telemetry import context
from core.telemetry.spans import SpanKind, entry_span
from orgs.models import WebhookDelivery, WebhookEndpoint
from orgs.services.mails import ClaimedMail, claim_mail, send_mail
from orgs.services.signing import SecretUnreadableError, signed_headers, unseal
from orgs.services.webhooks import message_id

TIMEOUT_S: Final = 15.0
# Longer than a delivery takes with everything around it.
LEASE: Final = timedelta(seconds=60)
# How many calls one endpoint gets at the same time, over all dispatchers: it is not flooded, and
# one that hangs does not hold up the others.
PER_ENDPOINT: Final = 10
# Pauses after each failed try, in seconds; the last one repeats until the delivery is given up.
PAUSES_S: Final = (15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800)
JITTER: Final = 0.2
TRIES_KEPT: Final = 50
LOOK_EVERY_S: Final = 0.5
POOL_SIZE: Final = 200
# A look takes moments; in an outage of the database it ends after a minute at most.
LOOKS_WITHIN_S: Final = 180.0
ANSWERS_WITHIN_S: Final = 30.0
# Messages begun by one look: a mail server is not flooded.
MAILS: Final = 5
_OUTAGE_PAUSE_S: Final = 2.0
_READ_BYTES: Final = 4096
_GONE: Final = 410
_ERRORS: Final = {
    InvalidTarget: "invalid_url",
    TargetRefused: "forbidden_target",
    ConnectFailed: "connection_failed",
    ReadFailed: "connection_broken",
    TimedOut: "timeout",
}
logger = logging.getLogger(__name__)

DataOf = Callable[["Message"], object | None]
"""Returns the `data` of a message; None where what it is about is gone."""

_CLAIM: Final = """
WITH due AS (
    SELECT d.id
    FROM (
        SELECT id FROM orgs_webhookendpoint
        WHERE is_enabled AND deleted_at IS NULL
        ORDER BY random()
    ) AS e
    CROSS JOIN LATERAL (
        SELECT id FROM orgs_webhookdelivery
        WHERE endpoint_id = e.id AND status = 'pending' AND next_at <= %(now)s
        ORDER BY next_at
        LIMIT greatest(0, %(per_endpoint)s - (
            SELECT count(*) FROM orgs_webhookdelivery
            WHERE endpoint_id = e.id AND claim_token IS NOT NULL AND next_at > %(now)s
        ))
        FOR UPDATE SKIP LOCKED
    ) AS d
    LIMIT %(limit)s
)
UPDATE orgs_webhookdelivery AS d
SET claim_token = %(token)s, next_at = %(leased_until)s
FROM due, orgs_outboxevent AS event, orgs_webhookendpoint AS endpoint
WHERE d.id = due.id AND event.id = d.event_id AND endpoint.id = d.endpoint_id
RETURNING d.id, d.tries, d.failures, d.give_up_at, endpoint.id, endpoint.url, endpoint.secret,
    CASE WHEN endpoint.previous_secret_until > %(now)s THEN endpoint.previous_secret END,
    event.id, event.organization_id, event.type, event.data, event.created_at
"""


@dataclass(frozen=True, slots=True)
class Message:
    """An event as its receiver gets it; `data` is that of its row."""

    id: UUID
    organization_id: UUID
    kind: str
    data: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery this dispatcher is to make."""

    id: UUID
    token: UUID
    leased_until: datetime
    tries: Sequence[Mapping[str, object]]
    failures: int
    give_up_at: datetime
    endpoint_id: UUID
    url: str
    sealed_secrets: tuple[bytes, ...]
    message: Message


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try went: the answer's status, or why there is none.

    Attributes:
        is_final: Nothing is to be gained by another try.
    """

    status: int | None
    error: str | None
    is_final: bool = False

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver accepted it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004


class Dispatcher:
    """The sending of this process: due deliveries, each in a greenlet of its own.

    Attributes:
        looks: Beats after each look for what is due, in vain or not.
        answers: Beats after each look that the database has answered.
    """

    def __init__(self, *, http: HttpClient, data_of: DataOf) -> None:
        self._http = http
        self._data_of = data_of
        self._pool = Pool(POOL_SIZE)
        self.looks = Pulse(LOOKS_WITHIN_S)
        self.answers = Pulse(ANSWERS_WITHIN_S)

    def run(self, stopping: Event) -> None:
        """Send what falls due until `stopping` is set, then let what has begun end."""
        while not stopping.is_set():
            try:
                self._send_due()
                self.answers.beat()
                pause_s = LOOK_EVERY_S
            except DatabaseError as error:
                logger.warning("dispatcher.claim_failed error=%s", error)
                pause_s = _OUTAGE_PAUSE_S
            finally:
                connection.close()
            self.looks.beat()
            stopping.wait(pause_s)
        self._pool.join(timeout=TIMEOUT_S + LOOK_EVERY_S)

    def _send_due(self) -> None:
        for claimed in claim_due(limit=self._pool.free_count(), now=clock_now()):
            self._pool.spawn(self._send, claimed)
        for mail in claim_mail(limit=min(MAILS, self._pool.free_count()), now=clock_now()):
            self._pool.spawn(self._send_mail, mail)

    def _send(self, claimed: Claimed) -> None:
        context.begin(delivery_id=claimed.id, organization_id=claimed.message.organization_id)
        try:
            about = {"lienzo.event": claimed.message.kind}
            with entry_span("deliver webhook", SpanKind.PRODUCER, about):
                deliver(claimed, http=self._http, data_of=self._data_of)
        except DatabaseError as error:
            # Its lease ends, and it is tried again.
            logger.warning("dispatcher.unrecorded delivery=%s error=%s", claimed.id, error)
        finally:
            connection.close()

    def _send_mail(self, mail: ClaimedMail) -> None:
        try:
            send_mail(mail)
        except DatabaseError as error:
            # Its lease ends, and it is sent again, under the same `Message-ID`.
            logger.warning("dispatcher.unrecorded mail=%s error=%s", mail.id, error)
        finally:
            connection.close()


def claim_due(*, limit: int, now: datetime) -> list[Claimed]:
    """Lease deliveries that are due. One statement; endpoints get their turns at random.

    Args:
        limit: How many at most.
        now: The instant; leases last `LEASE` from it.
    """
    token, leased_until = new_uuid(), now + LEASE
    params: dict[str, Any] = {
        "now": now,
        "limit": limit,
        "per_endpoint": PER_ENDPOINT,
        "token": token,
        "leased_until": leased_until,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, params)
        return [_claimed(row, token, leased_until) for row in cursor.fetchall()]


def deliver(claimed: Claimed, *, http: HttpClient, data_of: DataOf) -> bool:
    """Make one try and record it; return whether the receiver has accepted the message.

    No connection is held while the receiver is talked to.
    """
    started_at = clock_now()
    if claimed.leased_until - started_at < timedelta(seconds=TIMEOUT_S):
        # This process stood still: another may have the row by the time of an answer.
        return False
    started_s = time.monotonic()
    try:
        outcome = _attempt(claimed, http, data_of, started_at)
    except DatabaseError:
        # No try was made, and none is recorded: the lease ends, and the delivery falls due again.
        raise
    except Exception:
        # The outermost edge of one delivery: unrecorded it would come back with every lease.
        logger.exception("webhook.crashed delivery=%s", claimed.id)
        outcome = Outcome(None, "internal_error")
    duration_ms = round((time.monotonic() - started_s) * 1000)
    _record(claimed, outcome, started_at=started_at, duration_ms=duration_ms)
    return outcome.is_delivered


def pause_after(failures: int) -> timedelta:
    """Return the time to the next try, somewhat at random so that receivers are not hit at once."""
    seconds = PAUSES_S[min(failures, len(PAUSES_S)) - 1]
    return timedelta(seconds=seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311


def _claimed(row: tuple[Any, ...], token: UUID, leased_until: datetime) -> Claimed:
    delivery_id, tries, failures, give_up_at, endpoint_id, url, secret, previous, *event = row
    event_id, organization_id, kind, data, created_at = event
    return Claimed(
        id=delivery_id,
        token=token,
        leased_until=leased_until,
        tries=orjson.loads(tries),
        failures=failures,
        give_up_at=give_up_at,
        endpoint_id=endpoint_id,
        url=url,
        sealed_secrets=tuple(bytes(one) for one in (secret, previous) if one is not None),
        message=Message(event_id, organization_id, kind, orjson.loads(data), created_at),
    )


def _attempt(claimed: Claimed, http: HttpClient, data_of: DataOf, started_at: datetime) -> Outcome:
    message = claimed.message
    try:
        data = data_of(message)
        secrets = _unseal(claimed.sealed_secrets)
    except SecretUnreadableError:
        # No traceback: it is a setting that is wrong, WEBHOOK_ENCRYPTION_KEYS or SECRET_KEY.
        logger.error("webhook.secret_unreadable endpoint=%s", claimed.endpoint_id)  # noqa: TRY400
        return Outcome(None, "secret_unreadable")
    finally:
        connection.close()
    if data is None:
        return Outcome(None, "resource_gone", is_final=True)
    body = orjson.dumps(
        {"type": message.kind, "timestamp": message.created_at.isoformat(), "data": data}
    )
    headers = signed_headers(
        message_id=message_id(message.id), now=started_at, body=body, secrets_in_use=secrets
    )
    return _post(claimed.url, {**headers, "Content-Type": "application/json"}, body, http)


def _unseal(sealed_secrets: Sequence[bytes]) -> list[str]:
    """Decrypt the present secret, and the previous one if it can be.

    Raises:
        SecretUnreadableError: The present one cannot be.
    """
    present, *previous = sealed_secrets
    secrets = [unseal(present)]
    for sealed in previous:
        with suppress(SecretUnreadableError):
            secrets.append(unseal(sealed))
    return secrets


def _post(url: str, headers: Mapping[str, str], body: bytes, http: HttpClient) -> Outcome:
    deadline = time.monotonic() + TIMEOUT_S
    try:
        with http.post_guarded(url, deadline=deadline, headers=headers, body=body) as answer:
            # A short body is read so that the connection can be used again; it says nothing to us.
            with suppress(HttpError):
                answer.read_body(limit=_READ_BYTES)
            return Outcome(answer.status, None)
    except HttpError as error:
        return Outcome(None, _ERRORS.get(type(error), "connection_failed"))


def _record(claimed: Claimed, outcome: Outcome, *, started_at: datetime, duration_ms: int) -> None:
    """Write the try and what follows from it, if the lease still stands."""
    moment = clock_now()
    made = {
        "at": started_at.isoformat(),
        "status": outcome.status,
        "error": outcome.error,
        "duration_ms": duration_ms,
    }
    failures = claimed.failures + (not outcome.is_delivered)
    values: dict[str, Any] = {
        "tries": [*claimed.tries, made][-TRIES_KEPT:],
        "failures": failures,
        "claim_token": None,
        "next_at": None,
        "status": WebhookDelivery.Status.DELIVERED,
    }
    if not outcome.is_delivered:
        values["status"] = WebhookDelivery.Status.FAILED
        is_last = outcome.is_final or outcome.status == _GONE or moment >= claimed.give_up_at
        if not is_last:
            values["status"] = WebhookDelivery.Status.PENDING
            # The last try is made at the end of the time, not left out.
            values["next_at"] = min(moment + pause_after(failures), claimed.give_up_at)
    try:
        WebhookDelivery.objects.filter(id=claimed.id, claim_token=claimed.token).update(**values)
        if outcome.status == _GONE:
            _disable(claimed)
    finally:
        connection.close()
    logger.info(
        "webhook.tried delivery=%s endpoint=%s status=%s error=%s ms=%s",
        claimed.id,
        claimed.endpoint_id,
        outcome.status,
        outcome.error,
        duration_ms,
    )


def _disable(claimed: Claimed) -> None:
    """Switch off an endpoint whose receiver says it is gone for good, and give up what waits.

    Not if it has got another URL since.
    """
    disabled = WebhookEndpoint.objects.filter(
        id=claimed.endpoint_id, url=claimed.url, is_enabled=True
    ).update(is_enabled=False, disabled_reason=WebhookEndpoint.DisabledReason.GONE)
    if disabled:
        WebhookDelivery.objects.filter(
            endpoint_id=claimed.endpoint_id,
            status=WebhookDelivery.Status.PENDING,
            claim_token__isnull=True,
        ).update(status=WebhookDelivery.Status.FAILED, next_at=None)
