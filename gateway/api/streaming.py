"""Answering with server-sent events: partial images as they come, then the completed one.

The events are OpenAI's, field by field; the completed one also has `url` and `cost`. Images are
read from S3 and encoded chunk by chunk, so that a stream costs its parked greenlet and little more.
No database connection is open while anything is sent.
"""

import logging
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Final
from uuid import UUID

import gevent
import orjson
from django.db import connection
from django.http import HttpResponseBase, StreamingHttpResponse
from gevent.event import Event

from billing.money import format_amount
from core.clock import now
from core.errors import Category
from core.ids import request_id
from gateway.api.access import note_cost
from gateway.api.answers import base64_of, headers_of
from gateway.api.delivery import ClientSocket, DeliveredBody, record_hang_up
from gateway.api.errors import (
    SHAPES,
    Answer,
    StoredFailureError,
    answer_to,
    count_error,
    envelope,
)
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.selectors.generations import get_generation
from gateway.services.requests.waiting import waiting_room
from gateway.services.runs.looking import look
from gateway.storage import (
    ImageStorage,
    ObjectStream,
    StorageError,
    StorageUnavailableError,
    partial_key,
    private_storage,
    public_storage,
)
from gateway.types import GenerationView, Operation
from orgs.services.api_keys import Caller

EVENTS: Final = "text/event-stream"
HEARTBEAT_S = 15.0
COMMENT: Final = b": keep-alive\n\n"
# What worker and sweeper are given past the deadline before the stream itself ends the job.
GRACE_S = 0.5
# Each stream reads its own row at this pace, in case the common poll is stuck.
RECHECK_S = 30.0
LONGEST_WAIT_S = 360.0
OUTAGE_PAUSE_S = 0.5
OUTAGE_TRIES = 60
# Not known before the end.
_LATE_HEADERS = ("X-Cost", "X-Cost-Currency", "X-Images-Requested", "X-Images-Delivered")
_NO_USAGE: Final[Mapping[str, object]] = {
    "input_tokens": 0,
    "input_tokens_details": {"text_tokens": 0, "image_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
logger = logging.getLogger(__name__)


class EventStream:
    """The events of one generation for one caller, as the chunks of a body. To be closed.

    Args:
        view: The generation, read after `event` was registered.
        event: From the waiting room.
        client: Watched, so that a caller who hangs up while parked is noted at once.
        connection_id: Of the request that waits for the generation; None for one that looks on.
        shown: Partial images that this caller has had, or need not have.
    """

    def __init__(
        self,
        view: GenerationView,
        event: Event,
        *,
        client: ClientSocket,
        connection_id: UUID | None,
        shown: int,
    ) -> None:
        self._view = view
        self._event = event
        self._client = client
        self._connection_id = connection_id
        self._shown = shown
        self._hung_up = Event()
        self._signals = [event, self._hung_up]
        self._looked_at = time.monotonic()
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body, the first bytes at once: they carry the headers to the caller."""
        give_up_at = time.monotonic() + LONGEST_WAIT_S
        self._client.watch(self._hung_up)
        yield COMMENT
        while not self._view.is_terminal:
            yield from self._new_partials(self._view.partials)
            if time.monotonic() > give_up_at:
                yield _error_event(self._unknown_outcome())
                # Cut, so that it does not count as answered and a resend can adopt the job.
                raise TimeoutError(f"the outcome of {self._view.id} is not known")
            has_news = self._wait()
            if not has_news:
                yield COMMENT
            # Before the row is read: a message says enough.
            yield from self._new_partials(waiting_room().partials(self._view.id))
            if (has_news or self._is_due()) and not self._look():
                yield COMMENT
        yield from self._ending()

    def close(self) -> None:
        """Stop waiting. May be repeated, and called without having begun."""
        if self._is_open:
            self._is_open = False
            waiting_room().leave(self._event)
            self._client.unwatch()

    def _wait(self) -> bool:
        """Wait for news, at most for a heartbeat's time or until the deadline."""
        timeout_s = max(0.0, min(self._remaining_s(), HEARTBEAT_S))
        gevent.wait(self._signals, timeout=timeout_s, count=1)
        if self._hung_up.is_set() and self._hung_up in self._signals:
            # Noted, and still served: one who only closed its sending side gets its answer.
            self._signals.remove(self._hung_up)
            if self._connection_id is not None:
                record_hang_up(self._view.id, self._connection_id)
        has_news = self._event.is_set()
        self._event.clear()
        return has_news

    def _remaining_s(self) -> float:
        return (self._view.deadline_at - now()).total_seconds() + GRACE_S

    def _is_due(self) -> bool:
        """Return whether the row is to be read without news."""
        return self._remaining_s() <= 0 or time.monotonic() - self._looked_at > RECHECK_S

    def _look(self) -> bool:
        """Read the generation; False after a pause if the database is away."""
        view = look(
            organization_id=self._view.organization_id,
            generation_id=self._view.id,
            deadline_at=self._view.deadline_at,
        )
        if view is None:
            gevent.sleep(OUTAGE_PAUSE_S)
            return False
        self._view = view
        self._looked_at = time.monotonic()
        return True

    def _new_partials(self, count: int) -> Iterator[bytes]:
        while self._shown < count:
            index = self._shown
            self._shown += 1
            key = partial_key(self._view.organization_id, self._view.id, index)
            try:
                stream = private_storage().open_stream(key)
            except StorageError as error:
                # They go some minutes after the end; and the stream is about the image.
                logger.info("streaming.partial_missing key=%s error=%s", key, error)
                continue
            fields = {
                **_echo(self._view, stream.info.content_type),
                "partial_image_index": index,
            }
            yield from _image_event(self._name("partial_image"), int(time.time()), stream, fields)

    def _ending(self) -> Iterator[bytes]:
        view = self._view
        note_cost(view)
        if view.error is not None or not view.images:
            yield _error_event(_failure(view))
            return
        yield from self._new_partials(view.partials)
        image = view.images[0]
        storage: ImageStorage = public_storage() if image.is_public else private_storage()
        amount = format_amount(view.charged_micros if view.livemode else 0, view.currency)
        fields = {
            **_echo(view, image.content_type),
            "usage": {**_NO_USAGE, **(view.usage or {})},
            "url": image.url,
            "cost": {"amount": amount, "currency": view.currency},
        }
        created_at = int((view.finished_at or view.created_at).timestamp())
        stream = yield from _opened(storage, image.key)
        yield from _image_event(self._name("completed"), created_at, stream, fields)

    def _name(self, kind: str) -> str:
        is_made = self._view.operation is Operation.GENERATION
        return f"{'image_generation' if is_made else 'image_edit'}.{kind}"

    def _unknown_outcome(self) -> Answer:
        return envelope(
            SHAPES[Category.INTERNAL],
            message=(
                "The server lost its database, and does not know how this request ended. See GET"
                f" /v1/images/generations/{request_id(self._view.id)}."
            ),
            code="internal_error",
            retryable=True,
        )


def stream_answer(
    caller: Caller, generation_id: UUID, *, client: ClientSocket, connection_id: UUID, is_new: bool
) -> HttpResponseBase | None:
    """Answer a request for images with events; None if the database is away.

    Who gets a generation that another request has created is shown the newest partial image and
    what follows. The answer counts as delivered with the completed event, or the error.
    """
    room = waiting_room()
    event = room.enter(generation_id)
    view = None
    try:
        view = look(
            organization_id=caller.organization_id, generation_id=generation_id, deadline_at=None
        )
    finally:
        if view is None:
            room.leave(event)
    if view is None:
        return None
    stream = EventStream(
        view,
        event,
        client=client,
        connection_id=connection_id,
        shown=0 if is_new else _newest(view),
    )
    delivered = DeliveredBody(
        stream, client=client, generation_id=generation_id, connection_id=connection_id
    )
    response = _response(view, delivered)
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def attach(caller: Caller, generation_id: UUID, *, client: ClientSocket) -> HttpResponseBase:
    """Show a generation from now on: the newest partial image, those that follow, the end.

    Looking on delivers nothing: the request that the generation belongs to may still be resent.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
        InvalidRequestError: It is one of several images.
    """
    room = waiting_room()
    event = room.enter(generation_id)
    stream = None
    try:
        view = get_generation(
            organization_id=caller.organization_id,
            generation_id=generation_id,
            with_attempts=False,
        )
        if view.parameters["n"] != 1:
            raise InvalidRequestError(
                "A stream carries one image, and this generation has several.", param="stream"
            )
        stream = EventStream(view, event, client=client, connection_id=None, shown=_newest(view))
    finally:
        connection.close()
        if stream is None:
            room.leave(event)
    return _response(view, stream)


def _newest(view: GenerationView) -> int:
    """Return how many partial images to leave out: all but the newest, all after the end."""
    return view.partials if view.is_terminal else max(0, view.partials - 1)


def _response(view: GenerationView, chunks: DeliveredBody | EventStream) -> HttpResponseBase:
    headers = headers_of(view)
    if not view.is_terminal:
        for name in _LATE_HEADERS:
            headers.pop(name, None)
    # The second is nginx's: each event is passed on as it comes.
    headers |= {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(chunks, content_type=EVENTS, headers=headers)


def _failure(view: GenerationView) -> Answer:
    if view.error is not None:
        return answer_to(StoredFailureError(view.error))
    return answer_to(NotFoundError("The images of this generation were deleted."))


def _error_event(answer: Answer) -> bytes:
    """Return an error without an event name, as OpenAI's clients look for it."""
    count_error(answer)
    return b"data: " + orjson.dumps(answer.body) + b"\n\n"


def _opened(storage: ImageStorage, key: str) -> Generator[bytes, None, ObjectStream]:
    """Open an object, through a short outage of S3.

    Raises:
        StorageError: It lasts. The connection is cut then, and what was paid for can be looked up.
    """
    for _ in range(OUTAGE_TRIES):
        try:
            return storage.open_stream(key)
        except StorageUnavailableError as error:
            logger.warning("streaming.storage_away key=%s error=%s", key, error)
        yield COMMENT
        gevent.sleep(OUTAGE_PAUSE_S)
    return storage.open_stream(key)


def _image_event(
    name: str, created_at: int, stream: ObjectStream, fields: Mapping[str, object]
) -> Iterator[bytes]:
    rest = orjson.dumps({"created_at": created_at, **fields})
    with stream:
        yield f'event: {name}\ndata: {{"type":"{name}","b64_json":"'.encode()
        yield from base64_of(stream)
    yield b'",' + rest[1:] + b"\n\n"


def _echo(view: GenerationView, content_type: str) -> dict[str, object]:
    """Return what each event says of its image; what a model does not have reads `auto`."""
    parameters = view.parameters
    return {
        "size": parameters["size"],
        "quality": parameters["quality"] or "auto",
        "background": parameters["background"] or "auto",
        "output_format": content_type.removeprefix("image/"),
    }
