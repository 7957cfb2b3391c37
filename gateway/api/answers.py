"""What a generation looks like on the wire, in OpenAI's shapes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from email.utils import format_datetime

import orjson
import pybase64
from django.http import HttpResponseBase, StreamingHttpResponse

from billing.money import format_amount
from core.ids import request_id
from gateway.api.errors import StoredFailureError, answer_to, count_error
from gateway.catalog.registry import catalog
from gateway.parameters.generation import DROPPED_NAME, MAX_DROPPED_NAMES
from gateway.services.requests.estimates import Estimate
from gateway.storage import private_storage, public_storage
from gateway.types import GenerationView, ImageView

# A multiple of three, so that each chunk is base64 without padding.
CHUNK_BYTES = 48 * 1024
JSON = "application/json"
RESPOND_ASYNC = "respond-async"


@dataclass(frozen=True, slots=True)
class Body:
    """A body to send: its length in bytes and its parts."""

    status: int
    length: int
    chunks: Iterator[bytes]
    headers: Mapping[str, str]


def body_of(view: GenerationView) -> Body:
    """Return the answer of an ended generation: its images, or why it has none."""
    if view.error is not None:
        answer = answer_to(StoredFailureError(view.error))
        count_error(answer)
        data = orjson.dumps(answer.body)
        return Body(answer.status, len(data), iter((data,)), answer.headers)
    wanted = view.parameters.get("response_format")
    if wanted in {"b64_json", "both"}:
        return _base64_body(view, with_urls=wanted == "both")
    data = orjson.dumps(images_response(view))
    return Body(200, len(data), iter((data,)), {})


def accepted_body(view: GenerationView, expected: Estimate | None) -> Body:
    """Return the answer that a generation was accepted, while or after it runs."""
    data = orjson.dumps(generation_resource(view, expected))
    headers = {
        "Location": f"/v1/images/generations/{request_id(view.id)}",
        "Preference-Applied": RESPOND_ASYNC,
        **poll_header(expected),
    }
    return Body(202, len(data), iter((data,)), headers)


def images_response(view: GenerationView) -> dict[str, object]:
    """Return OpenAI's images response with URLs."""
    return {
        "id": request_id(view.id),
        "object": "list",
        "created": int((view.finished_at or view.created_at).timestamp()),
        "model": view.requested_model,
        "data": [_image_item(view, image) for image in view.images],
        **_echo(view),
        **({"outcomes": outcomes_of(view)} if view.undelivered else {}),
        **(_deletion(view) if view.deleted_at else {}),
    }


def outcomes_of(view: GenerationView) -> list[dict[str, object]]:
    """Return what became of each image that was asked for; nothing while that is open."""
    delivered = [{"index": index, "outcome": "delivered", "code": None} for index in view.delivered]
    return sorted([*delivered, *view.undelivered], key=lambda outcome: outcome["index"])


def generation_resource(
    view: GenerationView, expected: Estimate | None = None
) -> dict[str, object]:
    """Return the resource at `/v1/images/generations/{id}`; `expected` before its end."""
    error = None
    if view.error is not None:
        error = answer_to(StoredFailureError(view.error)).body["error"]
    return {
        "object": "generation",
        "id": request_id(view.id),
        "status": view.status,
        "model": view.requested_model,
        "created": int(view.created_at.timestamp()),
        "finished": _unix(view.finished_at),
        **_expectation(expected),
        # None once it is past the organization's retention of prompts.
        "prompt": view.parameters.get("prompt"),
        "size": view.parameters["size"],
        "data": [_image_item(view, image) for image in view.images],
        "outcomes": outcomes_of(view),
        "error": error,
        "cost": {
            "amount": format_amount(view.charged_micros if view.livemode else 0, view.currency),
            "quoted": format_amount(view.quoted_micros, view.currency),
            "currency": view.currency,
        },
        "attempts": [
            {
                "number": attempt.number,
                "provider": attempt.provider,
                "upstream_model": attempt.upstream_model,
                "status": attempt.status,
                "error_code": attempt.error_code or None,
                "started": int(attempt.started_at.timestamp()),
                "finished": _unix(attempt.finished_at),
            }
            for attempt in view.attempts
        ],
        "livemode": view.livemode,
        **_deletion(view),
    }


def headers_of(view: GenerationView) -> dict[str, str]:
    """Return the headers that say what was charged and what was changed."""
    headers = {
        "X-Generation-Id": request_id(view.id),
        "X-Cost": format_amount(view.charged_micros, view.currency),
        "X-Cost-Currency": view.currency,
    }
    if view.error is None:
        headers["X-Images-Requested"] = str(view.parameters["n"])
        headers["X-Images-Delivered"] = str(len(view.delivered))
    if not view.livemode:
        headers["X-Cost-Quoted"] = format_amount(view.quoted_micros, view.currency)
    headers.update(dropped_header(view.dropped_parameters))
    if view.served_by:
        headers["X-Served-By"] = view.served_by
    elif view.is_sandboxed:
        headers["X-Served-By"] = "sandbox"
    if view.image_adjusted:
        headers["X-Image-Adjusted"] = view.image_adjusted
    headers.update(lifecycle_headers(view.model))
    return headers


def poll_header(expected: Estimate | None) -> dict[str, str]:
    """Return when to ask again, for a generation that has not ended."""
    return {} if expected is None else {"Retry-After": str(expected.poll_after_s)}


def dropped_header(names: Sequence[str]) -> dict[str, str]:
    """Return the header that names what was ignored: at most 20 names of its alphabet."""
    shown = [name for name in names if DROPPED_NAME.fullmatch(name)]
    return {"X-Dropped-Params": ", ".join(shown[:MAX_DROPPED_NAMES])} if shown else {}


def lifecycle_headers(model_id: str) -> dict[str, str]:
    """Return `Deprecation` (RFC 9745) and `Sunset` (RFC 8594) of a model on its way out."""
    model = catalog().find(model_id)
    if model is None or model.retires_on is None:
        return {}
    retires = datetime.combine(model.retires_on, time.min, tzinfo=UTC)
    return {
        "Deprecation": f"@{int(retires.timestamp())}",
        "Sunset": format_datetime(retires, usegmt=True),
    }


def as_streaming_response(
    body: Body, chunks: Iterable[bytes], headers: Mapping[str, str]
) -> HttpResponseBase:
    """Return a response of `chunks`, which are the body's: of declared length, constant memory."""
    return StreamingHttpResponse(
        chunks,
        status=body.status,
        content_type=JSON,
        headers={**headers, **body.headers, "Content-Length": str(body.length)},
    )


def _unix(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())


def _deletion(view: GenerationView) -> dict[str, object]:
    """Return when the images were deleted, and by whom."""
    by = "retention" if view.is_expired else "request"
    return {
        "deleted_at": _unix(view.deleted_at),
        "deleted_by": None if view.deleted_at is None else by,
    }


def _expectation(expected: Estimate | None) -> dict[str, object]:
    if expected is None:
        return {}
    return {"queue_position": expected.queue_position, "estimated_seconds": expected.seconds}


def _image_item(view: GenerationView, image: ImageView) -> dict[str, object]:
    item: dict[str, object] = {"url": image.url}
    revised = _revised_prompt(view, image)
    if revised is not None:
        item["revised_prompt"] = revised
    return item


def _revised_prompt(view: GenerationView, image: ImageView) -> str | None:
    """Return the upstream's revised prompt; dall-e-3 always has one."""
    if image.revised_prompt:
        return image.revised_prompt
    model = catalog().find(view.model)
    return view.parameters.get("prompt") if model and model.key == "dall-e-3" else None


def _echo(view: GenerationView) -> dict[str, object]:
    """Return what OpenAI echoes for GPT image models, and usage wherever there is any."""
    echo: dict[str, object] = {}
    if view.usage is not None:
        echo["usage"] = view.usage
    model = catalog().find(view.model)
    if model is not None and model.family == "gpt-image":
        for name in ("background", "output_format", "size", "quality"):
            if view.parameters.get(name) is not None:
                echo[name] = view.parameters[name]
    return echo


def _base64_body(view: GenerationView, *, with_urls: bool) -> Body:
    """Stream the images from S3 as base64 inside the JSON; memory is one chunk per caller."""
    response = images_response(view)
    del response["data"]
    tail = orjson.dumps(response)[1:]
    parts: list[bytes | ImageView] = [b'{"data":[']
    for number, image in enumerate(view.images):
        item = _image_item(view, image)
        if not with_urls:
            del item["url"]
        rest = orjson.dumps(item)[1:]
        parts.append((b"," if number else b"") + b'{"b64_json":"')
        parts.append(image)
        parts.append(b'"' + (b"," if item else b"") + rest)
    parts.append(b"]," + tail)
    length = sum(
        len(part) if isinstance(part, bytes) else (part.size_bytes + 2) // 3 * 4 for part in parts
    )
    return Body(200, length, _encode(parts), {})


def _encode(parts: list[bytes | ImageView]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        storage = public_storage() if part.is_public else private_storage()
        with storage.open_stream(part.key) as stream:
            yield from base64_of(stream)


def base64_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Encode an object as it is read; only its end is padded."""
    rest = b""
    for chunk in chunks:
        ready = rest + chunk
        whole = len(ready) - len(ready) % 3
        rest = ready[whole:]
        if whole:
            yield pybase64.b64encode(ready[:whole])
    if rest:
        yield pybase64.b64encode(rest)
