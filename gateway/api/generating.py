"""Answering requests for images: accept, wait without holding anything, deliver."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import gevent
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from gevent.event import Event

from core.clock import now
from core.errors import Category
from core.ids import request_id
from core.telemetry import context
from core.telemetry.spans import span
from gateway.api.access import note_cost
from gateway.api.answers import (
    RESPOND_ASYNC,
    Body,
    accepted_body,
    as_streaming_response,
    body_of,
    headers_of,
)
from gateway.api.bodies import fingerprint, parse_json, read_body
from gateway.api.delivery import (
    ClientSocket,
    DeliveredBody,
    record_hang_up,
    record_hang_up_eventually,
)
from gateway.api.errors import SHAPES, as_response, envelope
from gateway.api.forms import read_form
from gateway.api.limiting import metered
from gateway.api.middleware import request_uuid
from gateway.api.streaming import stream_answer
from gateway.errors import InvalidRequestError
from gateway.metrics import ACCEPT_DURATION
from gateway.parameters.edit import parse_edit
from gateway.parameters.files import SentFile
from gateway.parameters.generation import parse_generation
from gateway.parameters.types import GenerationRequest
from gateway.selectors.generations import get_generation
from gateway.services.processes import Kind, current_process
from gateway.services.requests.adoption import adopt_undelivered, attach_connection
from gateway.services.requests.estimates import estimate
from gateway.services.requests.generations import (
    Accepted,
    Submission,
    accept_generation,
    find_by_idempotency_key,
)
from gateway.services.requests.waiting import waiting_room
from gateway.services.runs.looking import look
from gateway.types import Connection, GenerationView, Operation
from orgs.services.api_keys import Caller, require_active

MAX_KEY_LENGTH = 255
# What worker and sweeper are given past the deadline before the request itself ends the job.
GRACE_S = 0.5
# Each waiting request reads its own row at this pace, in case the common poll is stuck.
RECHECK_S = 30.0
# Past the longest deadline of a model.
LONGEST_WAIT_S = 360.0
OUTAGE_PAUSE_S = 0.5
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Post:
    """A request that was read.

    Attributes:
        parse: Checks it, and resolves its defaults.
    """

    parse: Callable[[], GenerationRequest]
    submission: Submission
    is_async: bool
    is_stream: bool


def generate(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Serve one request for images of a prompt.

    No database connection is held while it waits and while it answers.
    """
    body = parse_json(read_body(request))
    post = _post(
        request,
        caller,
        body,
        is_stream=isinstance(body, dict) and body.get("stream") is True,
        parse=lambda: parse_generation(body, default_model=caller.default_model or None),
    )
    return _serve(request, caller, post)


def edit(request: HttpRequest, caller: Caller, operation: Operation) -> HttpResponseBase:
    """Serve one request for an edit or a variation of images; as `generate`.

    The images are read to disk, and stored once the request is known to be a new one.
    """
    with read_form(request) as form:
        post = _post(
            request,
            caller,
            form.canonical,
            is_stream=form.fields.get("stream", "").lower() == "true",
            parse=lambda: parse_edit(
                form.fields,
                form.files,
                operation=operation,
                default_model=caller.default_model or None,
                max_pixels=settings.IMAGE_MAX_PIXELS,
            ),
            files=form.files,
        )
        return _serve(request, caller, post)


def _serve(request: HttpRequest, caller: Caller, post: _Post) -> HttpResponseBase:
    client = ClientSocket(request)
    # Before the generation can exist, hence before it can end.
    room = waiting_room()
    event = room.enter(post.submission.generation_id)
    connection_id = post.submission.connection.id
    generation_id = post.submission.generation_id
    try:
        with ACCEPT_DURATION.time():
            accepted, replayed = _accept(request, caller, post)
        generation_id = accepted.generation_id
        context.add(generation_id=generation_id)
        if not accepted.created:
            room.move(event, generation_id)
        connection.close()
        if post.is_async:
            return _accepted(caller, generation_id, connection_id, client, replayed=replayed)
        if post.is_stream:
            return _stream(caller, accepted, connection_id, client)
        with span("wait"):
            view = _wait(caller, accepted, connection_id, event, client)
    except DatabaseError as error:
        logger.warning("generating.database_lost generation=%s error=%s", generation_id, error)
        view, replayed = None, False
    finally:
        connection.close()
        room.leave(event)
        client.unwatch()
    if view is None:
        return _unknown(generation_id, connection_id)
    return _deliver(view, body_of(view), connection_id, client, replayed=replayed)


def _post(
    request: HttpRequest,
    caller: Caller,
    body: object,
    *,
    is_stream: bool,
    parse: Callable[[], GenerationRequest],
    files: Sequence[SentFile] = (),
) -> _Post:
    """Take from a request what identifies it; `body` is what makes it another than others."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not 0 < len(key) <= MAX_KEY_LENGTH:
        raise InvalidRequestError(
            f"Idempotency-Key must have 1 to {MAX_KEY_LENGTH} characters.", param="Idempotency-Key"
        )
    uuid = request_uuid(request)
    prefer = request.META.get("HTTP_PREFER", "")
    retry_count = request.META.get("HTTP_X_STAINLESS_RETRY_COUNT", "0")
    return _Post(
        parse=parse,
        submission=Submission(
            generation_id=uuid,
            fingerprint=fingerprint(
                method="POST",
                path=request.path,
                value=body,
                prefer=prefer,
                livemode=caller.livemode,
            ),
            connection=Connection(
                id=uuid,
                web_process_id=current_process(Kind.WEB).id,
                is_sdk_retry=_is_positive(retry_count),
            ),
            idempotency_key=key,
            client_request_id=request.META.get("HTTP_X_CLIENT_REQUEST_ID", ""),
            files=files,
        ),
        is_async=_prefers_async(prefer),
        is_stream=is_stream,
    )


def _prefers_async(prefer: str) -> bool:
    """Return whether a `Prefer` header (RFC 7240) has `respond-async` among its preferences."""
    words = (preference.partition(";")[0].strip() for preference in prefer.split(","))
    return any(word.lower() == RESPOND_ASYNC for word in words)


def _is_positive(text: str) -> bool:
    """Return whether a header is a whole number above zero; of any length, so not by `int`."""
    return text.isascii() and text.isdigit() and text.strip("0") != ""


def _accept(request: HttpRequest, caller: Caller, post: _Post) -> tuple[Accepted, bool]:
    """Attach to the generation this request means, or create it; the flag says "replayed"."""
    moment = now()
    submission = post.submission
    if submission.idempotency_key is not None:
        found = find_by_idempotency_key(
            organization_id=caller.organization_id, submission=submission, now=moment
        )
    else:
        found = adopt_undelivered(caller=caller, submission=submission, now=moment)
    if found is None:
        require_active(caller=caller)
        parsed = post.parse()
        with metered(request, caller, images=parsed.n) as limits:
            found = accept_generation(
                caller=caller,
                request=parsed,
                submission=submission,
                now=moment,
            )
            limits.settle(found)
    if found.created:
        return found, False
    attach_connection(
        generation_id=found.generation_id, connection=submission.connection, now=moment
    )
    return found, True


def _stream(
    caller: Caller, accepted: Accepted, connection_id: UUID, client: ClientSocket
) -> HttpResponseBase:
    """Answer with events, which wait by themselves."""
    response = stream_answer(
        caller,
        accepted.generation_id,
        client=client,
        connection_id=connection_id,
        is_new=accepted.created,
    )
    return response or _unknown(accepted.generation_id, connection_id)


def _wait(
    caller: Caller, accepted: Accepted, connection_id: UUID, event: Event, client: ClientSocket
) -> GenerationView | None:
    """Wait until the generation has ended and return it; None if the database stays away.

    One just created is not read before something happens: its event is older than its row. A
    caller who hangs up is noted, so that a resend may adopt the job, and still waited for: one who
    only closed its sending side gets its answer.
    """
    hung_up = Event()
    client.watch(hung_up)
    signals = [event, hung_up]
    deadline_at = accepted.deadline_at
    give_up_at = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < give_up_at:
        if deadline_at is not None:
            remaining = (deadline_at - now()).total_seconds() + GRACE_S
            gevent.wait(signals, timeout=max(0.0, min(remaining, RECHECK_S)), count=1)
        if hung_up.is_set():
            hung_up.clear()
            signals = [event]
            record_hang_up(accepted.generation_id, connection_id)
            continue
        event.clear()
        view = look(
            organization_id=caller.organization_id,
            generation_id=accepted.generation_id,
            deadline_at=deadline_at,
        )
        if view is None:
            gevent.sleep(OUTAGE_PAUSE_S)
        elif view.is_terminal:
            return view
        else:
            deadline_at = view.deadline_at
    return None


def _accepted(
    caller: Caller,
    generation_id: UUID,
    connection_id: UUID,
    client: ClientSocket,
    *,
    replayed: bool,
) -> HttpResponseBase:
    """Answer at once. Whoever got this has the id, so the answer counts as delivered."""
    view = get_generation(organization_id=caller.organization_id, generation_id=generation_id)
    body = accepted_body(view, estimate(view=view, now=now()))
    return _deliver(view, body, connection_id, client, replayed=replayed)


def _unknown(generation_id: UUID, connection_id: UUID) -> HttpResponse:
    """Say that the outcome is not known, and see to it that a resend can adopt the job."""
    record_hang_up_eventually(generation_id, connection_id)
    public_id = request_id(generation_id)
    response = as_response(
        envelope(
            SHAPES[Category.INTERNAL],
            message=(
                "The server lost its database, and does not know whether this request was"
                f" accepted. See GET /v1/images/generations/{public_id}; sending the same request"
                " again does not pay twice."
            ),
            code="internal_error",
            retryable=True,
        )
    )
    response.headers["X-Generation-Id"] = public_id
    return response


def _deliver(
    view: GenerationView, body: Body, connection_id: UUID, client: ClientSocket, *, replayed: bool
) -> HttpResponseBase:
    headers: dict[str, str] = headers_of(view)
    note_cost(view)
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    delivered = DeliveredBody(
        body.chunks, client=client, generation_id=view.id, connection_id=connection_id
    )
    return as_streaming_response(body, delivered, headers)
