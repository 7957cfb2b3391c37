"""Google's image models: Imagen's `:predict` and Gemini's `:generateContent`.

Both are synchronous, answer in base64 and are served alike by the Gemini API and by Vertex AI
(`gemini_access`).
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from core.http.client import HttpResponse
from core.http.uploads import Base64File, json_upload
from gateway.providers import gemini_access, gemini_errors, wire
from gateway.providers.base import Call, ImageRequest, ProviderResult
from gateway.providers.errors import (
    BadResponse,
    ContentRefused,
    ProviderError,
    ProviderUnavailable,
)

# Ends of a candidate that are the safety system's doing; Google's API reference, read 2026-11-21.
_REFUSED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "NO_IMAGE",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    }
)

Json = Mapping[str, object]


class GeminiAdapter:
    """One synchronous call per request; the upstream model's family decides the protocol."""

    name: ClassVar[str] = "gemini"
    default_base_url: ClassVar[str] = "https://generativelanguage.googleapis.com"
    # Vertex AI's hosts are not among them: the Gemini API's retirement dates are not its own.
    official_hosts: ClassVar[frozenset[str]] = frozenset({"generativelanguage.googleapis.com"})
    resumable: ClassVar[bool] = False

    def generate(self, call: Call) -> ProviderResult:
        """Make one upstream call and return its images.

        Raises:
            ProviderError: One of its subclasses.
        """
        request, endpoint = call.request, call.endpoint
        is_imagen = request.upstream_model.startswith("imagen-")
        method = "predict" if is_imagen else "generateContent"
        url = gemini_access.method_url(endpoint, request.upstream_model, method)
        headers = {
            **endpoint.headers,
            **gemini_access.credentials_of(endpoint),
            "Accept": "application/json",
        }
        body = build_imagen_body(request) if is_imagen else build_gemini_body(request)
        with wire.translated():
            answer = call.http.open(
                "POST", url, deadline=call.deadline, headers=headers, upload=json_upload(body)
            )
        with answer:
            payload = _read_payload(call, answer)
        try:
            return _predicted(call, payload) if is_imagen else _generated(call, payload)
        except ProviderError as error:
            error.upstream_status = error.upstream_status or answer.status
            error.upstream_request_id = wire.text(payload.get("responseId")) or None
            raise

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Refuse: the protocols have no jobs to come back to.

        Raises:
            ProviderUnavailable: Always, and `processed`.
        """
        raise ProviderUnavailable("a Gemini call cannot be resumed", processed=True)


def build_imagen_body(request: ImageRequest) -> dict[str, object]:
    """Return the JSON body of `:predict`; `extra` joins its `parameters`.

    Without `includeRaiReason` a filtered image is missing and nothing says why. `sampleCount` is
    always sent: its default is 4.
    """
    output = {
        "mimeType": None if request.output_format is None else f"image/{request.output_format}",
        "compressionQuality": request.output_compression,
    }
    parameters: dict[str, object] = {
        "sampleCount": request.n,
        **(request.size_param or {}),
        "includeRaiReason": True,
        "outputOptions": {name: value for name, value in output.items() if value is not None}
        or None,
    }
    return {
        "instances": [{"prompt": request.prompt}],
        "parameters": {name: value for name, value in parameters.items() if value is not None}
        | dict(request.extra),
    }


def build_gemini_body(request: ImageRequest) -> dict[str, object]:
    """Return the JSON body of `:generateContent`; `extra` joins its `generationConfig`.

    Images to edit stand before the text that says how.
    """
    config: dict[str, object] = {"responseModalities": ["IMAGE"]}
    if request.size_param:
        config["imageConfig"] = dict(request.size_param)
    parts: list[dict[str, object]] = [
        {"inlineData": {"mimeType": image.content_type, "data": Base64File(image.source)}}
        for image in request.inputs
    ]
    return {
        "contents": [{"role": "user", "parts": [*parts, {"text": request.prompt}]}],
        "generationConfig": config | dict(request.extra),
    }


def _read_payload(call: Call, answer: HttpResponse) -> dict[str, object]:
    if not answer.is_success:
        failed = wire.read_error_json(answer)
        raise gemini_errors.classify(answer.status, answer.headers, failed)
    try:
        payload = wire.read_images_json(call, answer)
    except BadResponse as error:
        error.upstream_status = answer.status
        raise
    if payload.get("error"):
        raise gemini_errors.classify(answer.status, answer.headers, payload)
    return payload


def _predicted(call: Call, payload: dict[str, object]) -> ProviderResult:
    """Return Imagen's images; those that are missing have been withheld.

    Raises:
        ContentRefused: There is none, and nothing else is wrong.
    """
    predictions = payload.pop("predictions", None) or []
    if not isinstance(predictions, list):
        raise BadResponse("the answer's predictions are not a list", processed=True)
    items: list[dict[str, object]] = []
    reason = ""
    for prediction in predictions:
        given = prediction if isinstance(prediction, dict) else {}
        if given.get("raiFilteredReason") and not given.get("bytesBase64Encoded"):
            reason = reason or wire.text(given["raiFilteredReason"])
        elif given.get("contentType") != "Positive Prompt":
            items.append(
                {
                    "b64_json": given.pop("bytesBase64Encoded", None),
                    "revised_prompt": given.get("prompt"),
                }
            )
    if not items:
        raise ContentRefused(
            reason or "the upstream withheld every image",
            code=gemini_errors.REFUSAL,
            processed=True,
        )
    refused = max(0, call.request.n - len(items))
    return ProviderResult(images=wire.collect_images(call, items), refused=refused)


def _generated(call: Call, payload: dict[str, object]) -> ProviderResult:
    """Return the images of Gemini's candidates.

    Raises:
        ContentRefused: There is none, and the safety system says why.
        BadResponse: There is none.
    """
    given = payload.pop("candidates", None)
    candidates = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    items = [item for candidate in candidates for item in _inline_images(candidate)]
    if not items:
        raise _without_image(payload, candidates)
    usage = payload.get("usageMetadata")
    return ProviderResult(
        images=wire.collect_images(call, items),
        usage=read_usage(usage) if isinstance(usage, dict) else None,
        upstream_request_id=wire.text(payload.get("responseId")) or None,
    )


def _inline_images(candidate: Json) -> Iterator[dict[str, object]]:
    """Yield a candidate's images, taken out of it; drafts of the model's thoughts are left out."""
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    for part in parts if isinstance(parts, list) else []:
        blob = part.get("inlineData") if isinstance(part, dict) else None
        if isinstance(blob, dict) and not part.get("thought"):
            yield {"b64_json": blob.pop("data", None)}


def _without_image(payload: Json, candidates: list[dict[str, object]]) -> ProviderError:
    feedback = payload.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        reason = wire.text(feedback["blockReason"])
        message = (
            wire.text(feedback.get("blockReasonMessage")) or f"the prompt is blocked: {reason}"
        )
        return ContentRefused(message, code=gemini_errors.REFUSAL, upstream_code=reason)
    for candidate in candidates:
        reason = wire.text(candidate.get("finishReason"))
        message = wire.text(candidate.get("finishMessage")) or f"no image: {reason}"
        if reason in _REFUSED:
            return ContentRefused(
                message, code=gemini_errors.REFUSAL, upstream_code=reason, processed=True
            )
        if reason:
            return BadResponse(message, upstream_code=reason, processed=True)
    return BadResponse("the answer has no image", processed=True)


def read_usage(metadata: Json) -> dict[str, object] | None:
    """Return Gemini's token counts in OpenAI's shape; None if one that is billed is missing.

    Thoughts are billed as text that is put out, and are not part of the candidates' count (Gemini
    API pricing and reference, read 2026-11-21).
    """
    prompt, drawn = metadata.get("promptTokenCount"), metadata.get("candidatesTokenCount")
    if not isinstance(prompt, int) or not isinstance(drawn, int):
        return None
    thoughts = metadata.get("thoughtsTokenCount")
    thought = thoughts if isinstance(thoughts, int) else 0
    seen = _of_modality(metadata.get("promptTokensDetails"), "IMAGE") or 0
    images = _of_modality(metadata.get("candidatesTokensDetails"), "IMAGE")
    pixels = drawn if images is None else min(images, drawn)
    return {
        "input_tokens": prompt,
        "output_tokens": drawn + thought,
        "total_tokens": prompt + drawn + thought,
        "input_tokens_details": {"text_tokens": prompt - seen, "image_tokens": seen},
        "output_tokens_details": {
            "text_tokens": drawn - pixels + thought,
            "image_tokens": pixels,
        },
    }


def _of_modality(details: object, modality: str) -> int | None:
    """Return the tokens of one modality; None if the answer does not say."""
    if not isinstance(details, list):
        return None
    for item in details:
        if isinstance(item, dict) and item.get("modality") == modality:
            count = item.get("tokenCount")
            return count if isinstance(count, int) else None
    return None
