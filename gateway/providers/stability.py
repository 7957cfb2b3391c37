"""Stability AI: Stable Image and Stable Diffusion 3.5 by v2beta, SDXL by v1; one call each."""

import re
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

from core.http.client import HttpResponse
from core.http.uploads import FileField, form_upload
from gateway.providers import stability_errors, wire
from gateway.providers.base import Call, ImageRequest, ProviderResult
from gateway.providers.errors import (
    BadResponse,
    ContentRefused,
    ModelRetired,
    ProviderError,
    ProviderUnavailable,
)

_ENGINE = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_SERVICES = frozenset({"core", "ultra"})
_DIFFUSION_3 = "sd3"
_USER_LENGTH_MAX = 256
_FILTERED = "CONTENT_FILTERED"
_FAILED = "ERROR"
# How far the result may go from an image sent along: 0 leaves it as it is, 1 takes nothing of it.
_STRENGTH = 0.7
_STRENGTHS = {"high": 0.4}


class StabilityAdapter:
    """Synchronous calls; images come as base64 in JSON."""

    name: ClassVar[str] = "stability"
    default_base_url: ClassVar[str] = "https://api.stability.ai"
    official_hosts: ClassVar[frozenset[str]] = frozenset({"api.stability.ai"})
    resumable: ClassVar[bool] = False

    def generate(self, call: Call) -> ProviderResult:
        """Make one upstream call and return its images.

        Raises:
            ProviderError: One of its subclasses.
        """
        with _send(call) as answer:
            if not answer.is_success:
                payload = wire.read_error_json(answer)
                raise stability_errors.classify(answer.status, answer.headers, payload)
            request_id = answer.headers.get("x-request-id")
            try:
                result = _collect(call, wire.read_images_json(call, answer))
            except (BadResponse, ContentRefused, ProviderUnavailable) as error:
                error.upstream_status = error.upstream_status or answer.status
                error.upstream_request_id = request_id
                raise
        result.upstream_request_id = request_id
        return result

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Refuse: the protocol has no jobs to come back to.

        Raises:
            ProviderUnavailable: Always, and `processed`.
        """
        raise ProviderUnavailable("a Stability AI call cannot be resumed", processed=True)


def _send(call: Call) -> HttpResponse:
    endpoint, request = call.endpoint, call.request
    base_url = endpoint.base_url.rstrip("/")
    headers = {
        **endpoint.headers,
        "Authorization": f"Bearer {endpoint.api_key}",
        "Accept": "application/json",
    }
    if request.user:
        # Any text is a name of a user, but not any text may stand in a header.
        headers["stability-client-user-id"] = quote(request.user)[:_USER_LENGTH_MAX]
    if not _ENGINE.fullmatch(request.upstream_model):
        raise ModelRetired("the engine's name is not valid")
    with wire.translated():
        service = service_of(request.upstream_model)
        if service is None:
            return call.http.open(
                "POST",
                f"{base_url}/v1/generation/{request.upstream_model}/text-to-image",
                deadline=call.deadline,
                headers=headers,
                json=build_body(request),
            )
        return call.http.open(
            "POST",
            f"{base_url}/v2beta/stable-image/generate/{service}",
            deadline=call.deadline,
            headers=headers,
            upload=form_upload(
                build_form(request).items(),
                [
                    FileField("image", f"image.{image.extension}", image.content_type, image.source)
                    for image in request.inputs
                ],
            ),
        )


def service_of(upstream_model: str) -> str | None:
    """Return v2beta's service for a model; None for the engines of v1."""
    if upstream_model in _SERVICES:
        return upstream_model
    return _DIFFUSION_3 if upstream_model.startswith(_DIFFUSION_3) else None


def build_form(request: ImageRequest) -> dict[str, str]:
    """Return the form fields of v2beta, which draws one image a call.

    Its style presets (anime, photographic ...) are other words than OpenAI's styles; a route may
    fix one in `extra`. With an image Stable Diffusion 3 knows no ratio: it keeps the image's.
    """
    is_diffusion_3 = service_of(request.upstream_model) == _DIFFUSION_3
    fields: dict[str, object] = {
        "prompt": request.prompt,
        **({} if is_diffusion_3 and request.inputs else request.size_param or {}),
        "seed": request.seed,
        "output_format": request.output_format,
    }
    if is_diffusion_3:
        fields |= {"model": request.upstream_model}
    if request.inputs:
        fields |= {
            "mode": "image-to-image" if is_diffusion_3 else None,
            "strength": _STRENGTHS.get(request.input_fidelity or "", _STRENGTH),
        }
    fields |= request.extra
    return {name: str(value) for name, value in fields.items() if value is not None}


def build_body(request: ImageRequest) -> dict[str, object]:
    """Return the JSON body of v1, whose images are always png."""
    body: dict[str, object] = {
        "text_prompts": [{"text": request.prompt, "weight": 1}],
        **(request.size_param or {}),
        "samples": request.n,
        "seed": request.seed,
    }
    return {name: value for name, value in body.items() if value is not None} | dict(request.extra)


def _collect(call: Call, payload: dict[str, object]) -> ProviderResult:
    """Take the images of an answer, without those that the filter has blurred.

    Raises:
        ProviderError: There is no image left.
    """
    items: list[dict[str, object]] = []
    words: list[str] = []
    for artifact in _artifacts(payload):
        word = wire.text(artifact.get("finishReason") or artifact.get("finish_reason"))
        words.append(word)
        encoded = artifact.pop("base64", None) or artifact.pop("image", None)
        if word not in {_FILTERED, _FAILED}:
            items.append({"b64_json": encoded, "seed": artifact.get("seed")})
    refused = words.count(_FILTERED)
    if words and not items:
        raise _nothing_left(refused)
    return ProviderResult(images=wire.collect_images(call, items), refused=refused)


def _nothing_left(refused: int) -> ProviderError:
    if refused:
        # The blurred image was drawn, and whether it is charged is not documented.
        return ContentRefused(
            "the upstream's filter withheld every image",
            code=stability_errors.REFUSAL,
            upstream_code=_FILTERED,
            processed=True,
        )
    # "Failed generations are not charged" (platform.stability.ai, read 2026-11-21).
    return ProviderUnavailable("every image failed", upstream_code=_FAILED)


def _artifacts(payload: dict[str, object]) -> list[dict[str, object]]:
    """Return v1's list of artifacts, or v2beta's one image as such a list; empties the payload."""
    found = payload.pop("artifacts", None)
    if isinstance(found, list):
        return [item if isinstance(item, dict) else {} for item in found]
    image: Mapping[str, object] = {
        name: payload.pop(name) for name in ("image", "finish_reason", "seed") if name in payload
    }
    return [dict(image)] if image else []
