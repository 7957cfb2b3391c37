"""What providers of the OpenAI Images protocol share: how a call is made and its answer read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.http import bodies
from core.http.client import HttpResponse
from core.http.events import ServerEvent
from core.http.uploads import Upload
from gateway.providers import wire
from gateway.providers.base import Call, ProviderResult
from gateway.providers.errors import (
    BadResponse,
    ContentRefused,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)

_EVENTS = "text/event-stream"
_DONE = b"[DONE]"
_STREAM_FIELDS = frozenset({"stream", "partial_images"})
Body = Mapping[str, object]
Encode = Callable[[Body], Upload]
Classify = Callable[[int, Mapping[str, str], Body], ProviderError]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one provider speaks the protocol.

    Attributes:
        classify: Makes the error of a failed answer, from its status, headers and JSON body; also
            of an error object in an answer of status 200.
        is_withheld: Whether an item of a good answer stands for an image that its safety system
            keeps.
        request_id_header: Has the provider's name for the call.
        refuses_by_empty_data: An empty list of images means a refusal.
    """

    classify: Classify
    is_withheld: Callable[[Mapping[str, object]], bool]
    request_id_header: str = "x-request-id"
    refuses_by_empty_data: bool = False


def exchange(
    call: Call,
    dialect: Dialect,
    *,
    path: str,
    key: Mapping[str, str],
    body: Body,
    encode: Encode | None = None,
) -> ProviderResult:
    """Post a body below the base URL and read the images that come back, as JSON or as events.

    A server that refuses to stream is asked again for the image alone.

    Args:
        call: What is wanted, and the means.
        dialect: Of the provider.
        path: Below the base URL, with its query.
        key: The headers that carry the key.
        body: The fields to send.
        encode: Makes of them what is sent, with files; None sends them as JSON.

    Raises:
        ProviderError: One of its subclasses.
    """
    try:
        return _post(call, dialect, path=path, key=key, body=body, encode=encode)
    except ProviderRejected as error:
        if error.param not in _STREAM_FIELDS & body.keys():
            raise
    plain = {name: value for name, value in body.items() if name not in _STREAM_FIELDS}
    return _post(call, dialect, path=path, key=key, body=plain, encode=encode)


def _post(
    call: Call,
    dialect: Dialect,
    *,
    path: str,
    key: Mapping[str, str],
    body: Body,
    encode: Encode | None,
) -> ProviderResult:
    headers = {**call.endpoint.headers, **key, "Accept": "application/json"}
    with wire.translated():
        answer = call.http.open(
            "POST",
            f"{call.endpoint.base_url.rstrip('/')}/{path}",
            deadline=call.deadline,
            headers=headers,
            json=None if encode else body,
            upload=encode(body) if encode else None,
        )
    request_id = answer.headers.get(dialect.request_id_header)
    with answer:
        try:
            result = _read(call, dialect, answer)
        except ProviderError as error:
            error.upstream_status = error.upstream_status or answer.status
            error.upstream_request_id = request_id
            raise
    result.upstream_request_id = request_id
    return result


def _read(call: Call, dialect: Dialect, answer: HttpResponse) -> ProviderResult:
    if not answer.is_success:
        payload = wire.read_error_json(answer)
        raise dialect.classify(answer.status, answer.headers, payload)
    if answer.headers.get("Content-Type", "").startswith(_EVENTS):
        return _read_stream(call, dialect, answer)
    return _read_payload(call, dialect, answer, wire.read_images_json(call, answer))


def _read_stream(call: Call, dialect: Dialect, answer: HttpResponse) -> ProviderResult:
    """Pass partial images on as they come, and return the completed one.

    Waiting for the next image needs no permit, so it is given back after each.
    """
    partials = 0
    limit = wire.body_limit(call)
    with wire.translated():
        for event in answer.read_events(limit=limit, on_large=lambda: wire.acquire(call)):
            payload = _event_payload(event)
            kind = wire.text(payload.get("type")) or event.name
            if payload.get("error") or "error" in {kind, event.name}:
                # Either the usual envelope, or the error's fields themselves.
                failure = payload if payload.get("error") else {"error": payload}
                raise dialect.classify(answer.status, answer.headers, failure)
            if kind.endswith(".completed"):
                usage = payload.pop("usage", None)
                whole = {"data": [payload], "usage": usage}
                return _read_payload(call, dialect, answer, whole)
            if kind.endswith(".partial_image") and partials < call.request.partial_images:
                partials += 1
                _pass_on(call, payload)
            call.permit.release()
    raise ProviderUnavailable("the stream ended without an image", processed=True)


def _pass_on(call: Call, payload: Mapping[str, object]) -> None:
    """Hand a partial image over; a broken one is left out, as the whole one may follow."""
    try:
        data = wire.image_bytes(call, payload)
    except BadResponse:
        return
    if call.on_partial is not None:
        call.on_partial(data)


def _event_payload(event: ServerEvent) -> dict[str, object]:
    """Return an event's JSON object; {} for one that ends the stream in other protocols."""
    if event.data == _DONE:
        return {}
    payload = bodies.parse_json(event.data)
    if not isinstance(payload, dict):
        raise BadResponse("an event is not a JSON object", processed=True)
    return payload


def _read_payload(
    call: Call, dialect: Dialect, answer: HttpResponse, payload: dict[str, object]
) -> ProviderResult:
    if payload.get("error"):
        raise dialect.classify(answer.status, answer.headers, payload)
    data = payload.pop("data", None)
    if not isinstance(data, list) or not (data or dialect.refuses_by_empty_data):
        raise BadResponse("the answer has no data", processed=True)
    items = [item if isinstance(item, dict) else {} for item in data]
    kept = [item for item in items if not dialect.is_withheld(item)]
    refused = len(items) - len(kept)
    # The images are in `kept` alone, which lets go of each once it is decoded.
    data.clear()
    items.clear()
    if not kept:
        raise ContentRefused(
            "the upstream's safety system keeps all images",
            code="content_policy_violation",
            processed=True,
        )
    usage = payload.get("usage")
    return ProviderResult(
        images=wire.collect_images(call, kept),
        usage=usage if isinstance(usage, dict) else None,
        refused=refused,
    )
