"""What is asked of OpenAI's models: where, with which fields, and with which files."""

from collections.abc import Iterator, Mapping
from functools import partial

from core.http.uploads import FileField, Upload, form_upload
from gateway.providers.base import ImageRequest, InputImage
from gateway.providers.openai_images import Body, Encode
from gateway.types import Operation

_PATHS: Mapping[Operation, str] = {
    Operation.GENERATION: "images/generations",
    Operation.EDIT: "images/edits",
    Operation.VARIATION: "images/variations",
}


def path_of(request: ImageRequest) -> str:
    """Return the path of the operation, below the base URL."""
    return _PATHS[request.operation]


def build_body(request: ImageRequest) -> dict[str, object]:
    """Return the fields for one of OpenAI's models that its family takes for the operation.

    GPT image models reject `response_format` and always send base64; the dall-e models know neither
    formats nor backgrounds, only dall-e-3 has `style` and `quality`, and a variation has no prompt.
    A form has no field for `moderation` (API reference, read 2026-11-21).
    """
    body: dict[str, object] = {
        "model": request.upstream_model,
        "prompt": None if request.operation is Operation.VARIATION else request.prompt,
        "n": request.n,
        **(request.size_param or {}),
        **_family_fields(request),
        "user": request.user,
    }
    return {name: value for name, value in body.items() if value is not None} | dict(request.extra)


def encoding_of(request: ImageRequest) -> Encode | None:
    """Return what makes a form of the fields and the request's images; None without images."""
    return partial(_form, request) if request.inputs else None


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
        "moderation": None if request.inputs else request.moderation,
        "output_format": request.output_format,
        "output_compression": request.output_compression,
        "input_fidelity": request.input_fidelity,
        # A stream without partial images would bring nothing before its end.
        "stream": True if request.partial_images else None,
        "partial_images": request.partial_images or None,
    }


def _form(request: ImageRequest, body: Body) -> Upload:
    return form_upload(((name, _form_text(value)) for name, value in body.items()), _files(request))


def _form_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _files(request: ImageRequest) -> Iterator[FileField]:
    """Name the files as the official client does: a list of images has brackets."""
    if len(request.inputs) == 1:
        yield _file("image", "image", request.inputs[0])
    else:
        for number, image in enumerate(request.inputs, start=1):
            yield _file("image[]", f"image-{number}", image)
    if request.mask is not None:
        yield _file("mask", "mask", request.mask)


def _file(name: str, stem: str, image: InputImage) -> FileField:
    return FileField(name, f"{stem}.{image.extension}", image.content_type, image.source)
