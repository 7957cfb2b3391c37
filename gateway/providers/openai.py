"""The OpenAI Images API, and every server that speaks its protocol."""

from typing import ClassVar

from core.http.client import HttpResponse
from gateway.providers import openai_errors, wire
from gateway.providers.base import Call, ImageRequest, ProviderResult
from gateway.providers.errors import BadResponse, ProviderUnavailable


class OpenAIAdapter:
    """One synchronous call per request; images come as base64, or as URLs from older servers."""

    name: ClassVar[str] = "openai"
    default_base_url: ClassVar[str] = "https://api.openai.com/v1"
    official_hosts: ClassVar[frozenset[str]] = frozenset(
        {"api.openai.com", "eu.api.openai.com", "us.api.openai.com"}
    )
    resumable: ClassVar[bool] = False

    def generate(self, call: Call) -> ProviderResult:
        """Make one upstream call and return its images.

        Raises:
            ProviderError: One of its subclasses.
        """
        endpoint = call.endpoint
        headers = {
            **endpoint.headers,
            "Authorization": f"Bearer {endpoint.api_key}",
            "Accept": "application/json",
        }
        with wire.translated():
            answer = call.http.open(
                "POST",
                f"{endpoint.base_url.rstrip('/')}/images/generations",
                deadline=call.deadline,
                headers=headers,
                json=build_body(call.request),
            )
        with answer:
            return self._read(call, answer)

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Refuse: the protocol has no jobs to come back to.

        Raises:
            ProviderUnavailable: Always, and `processed`.
        """
        raise ProviderUnavailable("an OpenAI call cannot be resumed", processed=True)

    def _read(self, call: Call, answer: HttpResponse) -> ProviderResult:
        request_id = answer.headers.get("x-request-id")
        if not answer.is_success:
            payload = wire.read_error_json(answer)
            raise openai_errors.classify(answer.status, answer.headers, payload)
        try:
            payload = wire.read_images_json(call, answer)
            if payload.get("error"):
                raise openai_errors.classify(answer.status, answer.headers, payload)
            items = _items(payload)
            usage = payload.get("usage")
            images = wire.collect_images(call, items)
        except BadResponse as error:
            error.upstream_status = error.upstream_status or answer.status
            error.upstream_request_id = request_id
            raise
        return ProviderResult(
            images=images,
            usage=usage if isinstance(usage, dict) else None,
            upstream_request_id=request_id,
        )


def _items(payload: dict[str, object]) -> list[dict[str, object]]:
    data = payload.pop("data", None)
    if not isinstance(data, list) or not data:
        raise BadResponse("the answer has no data", processed=True)
    return [item if isinstance(item, dict) else {} for item in data]


def build_body(request: ImageRequest) -> dict[str, object]:
    """Return the JSON body for a request, with the fields its model family takes.

    GPT image models reject `response_format` and always send base64; the dall-e models know neither
    formats nor backgrounds, only dall-e-3 has `style` and `quality` (API reference, read
    2026-11-21).
    """
    body: dict[str, object] = {
        "model": request.upstream_model,
        "prompt": request.prompt,
        "n": request.n,
        **(request.size_param or {}),
        **_family_fields(request),
        "user": request.user,
    }
    return {name: value for name, value in body.items() if value is not None} | dict(request.extra)


def _family_fields(request: ImageRequest) -> dict[str, object]:
    if request.upstream_model.startswith("dall-e"):
        # base64 saves the second fetch, from a host that expires its URLs.
        fields: dict[str, object] = {"response_format": "b64_json"}
        if request.upstream_model.startswith("dall-e-3"):
            fields |= {"quality": request.quality, "style": request.style}
        return fields
    return {
        "quality": request.quality,
        "background": request.background,
        "moderation": request.moderation,
        "output_format": request.output_format,
        "output_compression": request.output_compression,
    }
