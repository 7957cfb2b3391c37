"""Ideogram's own API: the older models by JSON, Ideogram 3 by a form; images come as URLs."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import orjson

from core.http.client import HttpResponse
from core.http.uploads import FileField, Upload, form_upload, json_upload
from gateway.providers import ideogram_errors, wire
from gateway.providers.base import Call, ImageRequest, ProviderResult
from gateway.providers.errors import BadResponse, ContentRefused, ProviderUnavailable

_FORM_MODEL = "ideogram-v3"
# How much of the image a remix keeps, of 100; 50 is the upstream's own (Ideogram's reference, read
# 2026-11-21).
_IMAGE_WEIGHTS = {"high": 80}


class IdeogramAdapter:
    """One synchronous call per request; the images' signed URLs expire and are fetched at once."""

    name: ClassVar[str] = "ideogram"
    default_base_url: ClassVar[str] = "https://api.ideogram.ai"
    official_hosts: ClassVar[frozenset[str]] = frozenset({"api.ideogram.ai"})
    resumable: ClassVar[bool] = False

    def generate(self, call: Call) -> ProviderResult:
        """Make one upstream call and return its images.

        Raises:
            ProviderError: One of its subclasses.
        """
        with _send(call) as answer:
            if not answer.is_success:
                payload = wire.read_error_json(answer)
                raise ideogram_errors.classify(answer.status, answer.headers, payload)
            try:
                return _collect(call, wire.read_images_json(call, answer))
            except BadResponse as error:
                error.upstream_status = error.upstream_status or answer.status
                raise

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Refuse: a call has no id to come back to.

        Raises:
            ProviderUnavailable: Always, and `processed`.
        """
        raise ProviderUnavailable("an Ideogram call cannot be resumed", processed=True)


def _send(call: Call) -> HttpResponse:
    endpoint, request = call.endpoint, call.request
    with wire.translated():
        return call.http.open(
            "POST",
            f"{endpoint.base_url.rstrip('/')}/{_path(request)}",
            deadline=call.deadline,
            headers={
                **endpoint.headers,
                "Api-Key": endpoint.api_key,
                "Accept": "application/json",
            },
            upload=_body(request),
        )


def _path(request: ImageRequest) -> str:
    if request.upstream_model != _FORM_MODEL:
        return "generate"
    return f"v1/{_FORM_MODEL}/{'remix' if request.inputs else 'generate'}"


def _body(request: ImageRequest) -> Upload:
    fields = build_fields(request)
    if request.upstream_model != _FORM_MODEL:
        return json_upload({"image_request": fields})
    files = [
        FileField("image", f"image.{image.extension}", image.content_type, image.source)
        for image in request.inputs
    ]
    return form_upload(_form_fields(fields), files)


def build_fields(request: ImageRequest) -> dict[str, object]:
    """Return the fields for a request, by the names that both generations of the API use.

    `style` is sent as it is: Ideogram's words, not OpenAI's, must have been chosen by the route.
    Ideogram 3 is named by its path and has levels of speed; the older models have neither. An image
    to edit is remixed: an edit of Ideogram's own needs a mask in black and white.
    """
    by_form = request.upstream_model == _FORM_MODEL
    fields: dict[str, object] = {
        "prompt": request.prompt,
        "model": None if by_form else request.upstream_model,
        **(request.size_param or {}),
        "num_images": request.n,
        "seed": request.seed,
        "style_type": request.style,
        "rendering_speed": request.quality if by_form else None,
        "image_weight": _IMAGE_WEIGHTS.get(request.input_fidelity or ""),
    }
    return {name: value for name, value in fields.items() if value is not None} | dict(
        request.extra
    )


def _form_fields(fields: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Write values as text: lists as repeated fields, everything but text as JSON."""
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            yield name, item if isinstance(item, str) else orjson.dumps(item).decode()


def _collect(call: Call, payload: dict[str, object]) -> ProviderResult:
    """Fetch the images of an answer, except those withheld as unsafe, and no more than asked."""
    data = payload.get("data")
    if not isinstance(data, list) or not data:
        raise BadResponse("the answer has no data", processed=True)
    items = [item if isinstance(item, dict) else {} for item in data]
    safe = [_item(item, call.request) for item in items if item.get("is_image_safe") is not False]
    if not safe:
        raise ContentRefused(
            "the upstream withheld every image as unsafe",
            code=ideogram_errors.REFUSAL,
            upstream_code="is_image_safe",
            processed=True,
        )
    kept = safe[: call.request.n]
    refused = min(len(items) - len(safe), call.request.n - len(kept))
    return ProviderResult(images=wire.collect_images(call, kept), refused=refused)


def _item(item: dict[str, object], request: ImageRequest) -> dict[str, object]:
    """Name the prompt that was drawn, if "magic prompt" has rewritten it."""
    drawn = item.get("prompt")
    revised = drawn if drawn != request.prompt else None
    return {"url": item.get("url"), "seed": item.get("seed"), "revised_prompt": revised or None}
