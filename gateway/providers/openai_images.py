"""What providers of the OpenAI Images protocol share: the body sent and the answer read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.http.client import HttpResponse
from gateway.providers import wire
from gateway.providers.base import Call, ImageRequest, ProviderResult
from gateway.providers.errors import BadResponse, ContentRefused, ProviderError

Classify = Callable[[int, Mapping[str, str], Mapping[str, object]], ProviderError]


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
    call: Call, dialect: Dialect, *, path: str, key: Mapping[str, str], body: Mapping[str, object]
) -> ProviderResult:
    """Post a body below the base URL and read the images that come back.

    Args:
        call: What is wanted, and the means.
        dialect: Of the provider.
        path: Below the base URL, with its query.
        key: The headers that carry the key.
        body: Sent as JSON.

    Raises:
        ProviderError: One of its subclasses.
    """
    headers = {**call.endpoint.headers, **key, "Accept": "application/json"}
    with wire.translated():
        answer = call.http.open(
            "POST",
            f"{call.endpoint.base_url.rstrip('/')}/{path}",
            deadline=call.deadline,
            headers=headers,
            json=body,
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
    payload = wire.read_images_json(call, answer)
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


def build_body(request: ImageRequest) -> dict[str, object]:
    """Return the JSON body for one of OpenAI's models, with the fields its family takes.

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
