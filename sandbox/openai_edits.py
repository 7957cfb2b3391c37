"""What OpenAI's models accept to edit images, or to vary one: forms with files.

Sources as those of `openai_rules`; the texts about files are worded alike. What an input image
counts is published for the gpt-image-1 family alone, and taken for the later models too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import gevent

from sandbox.forms import Form, FormFile, read_form
from sandbox.openai_rules import USER_ERROR, OpenAIError, Params, read_params
from sandbox.retouching import Facts, facts_of
from sandbox.server import Request

_EDITED: Final = "dall-e-2"
_MAX_IMAGES: Final = 16
_MAX_BYTES: Final = 50 * 1024 * 1024
_DALL_E_MAX_BYTES: Final = 4 * 1024 * 1024
_TYPES: Final = ("image/jpeg", "image/png", "image/webp")
_INTEGERS: Final = frozenset({"n", "output_compression", "partial_images"})
_FLAGS: Final = {"true": True, "false": False}
# Known to generations alone.
_NOT_IN_FORMS: Final = frozenset({"moderation", "style", "complexity"})
_FIDELITY: Final[Mapping[str, tuple[str, ...]]] = {
    "gpt-image-1": ("high", "low"),
    "gpt-image-1-mini": ("low",),
    "gpt-image-1.5": ("high", "low"),
    "gpt-image-1.5-2025-12-16": ("high", "low"),
    "chatgpt-image-latest": ("high", "low"),
}
# Tokens of an image: a base, those of each tile of the scaled image, and high fidelity's.
_BASE, _TILE, _SQUARE, _OTHER = 65, 129, 4160, 6240
_LONG_EDGE, _SHORT_EDGE = 2048, 512

Values = dict[str, object]


def form_of(request: Request) -> Form:
    """Read the form of a request.

    Raises:
        OpenAIError: it is none.
    """
    try:
        return read_form(request)
    except ValueError as error:
        raise OpenAIError(400, "We could not parse the multipart form of your request.") from error


def read_edit(form: Form, *, retired: bool, model_id: str | None = None) -> Params:
    """Validate an edit.

    Args:
        form: As it came.
        retired: Whether retired models are gone.
        model_id: The model, where the path names it.

    Raises:
        OpenAIError: with the body that the real API answers.
    """
    values = _values(form)
    if model_id is not None:
        values["model"] = model_id
    fidelity = values.pop("input_fidelity", None)
    params = _read(values, retired=retired)
    model = params.model
    if not (model.gpt or params.model_id == _EDITED):
        raise _invalid(f"Invalid value: '{params.model_id}'. Value must be '{_EDITED}'.", "model")
    fidelity = _fidelity(params, fidelity)
    images, masks = _sorted_files(form)
    inputs = _images(images, params)
    if len(masks) > 1:
        raise _bad_file("Only one mask can be given.", "mask")
    shown = [*inputs, *(_mask(mask, inputs[0]) for mask in masks)]
    tokens = sum(image_tokens(one, high=fidelity == "high") for one in shown) if model.gpt else 0
    return replace(
        params,
        inputs=tuple(file.data for file in images),
        mask=masks[0].data if masks else b"",
        input_tokens=tokens,
    )


def read_variation(form: Form, *, retired: bool) -> Params:
    """Validate a variation, which dall-e-2 alone makes.

    Raises:
        OpenAIError: as `read_edit`.
    """
    values = _values(form)
    if "prompt" in values:
        raise _unknown("prompt")
    params = _read({**values, "prompt": "variation"}, retired=retired)
    if params.model_id != _EDITED:
        raise _invalid(f"Invalid value: '{params.model_id}'. Value must be '{_EDITED}'.", "model")
    images, masks = _sorted_files(form)
    if masks:
        raise _unknown("mask")
    _images(images, params)
    return replace(params, inputs=(images[0].data,))


def image_tokens(image: Facts, *, high: bool) -> int:
    """Count what an input image adds to the input tokens."""
    long, short = max(image.width, image.height), min(image.width, image.height)
    scale = min(1.0, _LONG_EDGE / long)
    scale = min(scale, _SHORT_EDGE / short)
    tiles = math.ceil(long * scale / _SHORT_EDGE) * math.ceil(short * scale / _SHORT_EDGE)
    fine = (_SQUARE if long == short else _OTHER) if high else 0
    return _BASE + _TILE * tiles + fine


def _values(form: Form) -> Values:
    """Return the texts with the types that they stand for."""
    values: Values = {}
    for name, text in form.texts:
        if name in _INTEGERS and text.lstrip("-").isdecimal():
            values[name] = int(text)
        else:
            values[name] = _FLAGS.get(text, text) if name == "stream" else text
    return values


def _read(values: Values, *, retired: bool) -> Params:
    for name in values:
        if name in _NOT_IN_FORMS:
            raise _unknown(name)
    return read_params(values, retired=retired)


def _fidelity(params: Params, given: object) -> object:
    """Return the fidelity that counts: of the models after the first family it is always high."""
    allowed = _FIDELITY.get(params.model_id)
    if given is None:
        return "low" if allowed else "high"
    if not params.model.gpt:
        raise _unknown("input_fidelity")
    if allowed is None:
        message = f"The model '{params.model_id}' does not support the 'input_fidelity' parameter."
        raise OpenAIError(
            400,
            message,
            type_=USER_ERROR,
            code="invalid_input_fidelity_model",
            param="input_fidelity",
        )
    if given not in allowed:
        values = " and ".join(f"'{value}'" for value in allowed)
        message = f"Invalid value: '{given}'. Supported values are: {values}."
        raise _invalid(message, "input_fidelity")
    return given


def _sorted_files(form: Form) -> tuple[list[FormFile], list[FormFile]]:
    """Return the images and the masks."""
    images = [file for file in form.files if file.name in {"image", "image[]"}]
    masks = [file for file in form.files if file.name == "mask"]
    for file in form.files:
        if file.name not in {"image", "image[]", "mask"}:
            raise _unknown(file.name)
    if not images:
        message = "Missing required parameter: 'image'."
        raise OpenAIError(400, message, code="missing_required_parameter", param="image")
    return images, masks


def _images(files: Sequence[FormFile], params: Params) -> list[Facts]:
    most = _MAX_IMAGES if params.model.gpt else 1
    if len(files) > most:
        message = (
            "Invalid 'image': array too long. Expected an array with maximum length"
            f" {most}, but got an array with length {len(files)} instead."
        )
        raise OpenAIError(400, message, code="array_above_max_length", param="image")
    found = [_facts(file, "image") for file in files]
    if params.model_id == _EDITED:
        _check_dall_e(files[0], found[0])
    return found


def _facts(file: FormFile, param: str) -> Facts:
    if not file.data:
        raise _bad_file("The image file is empty.", param, code="empty_image_file")
    if file.content_type not in _TYPES:
        listed = "'image/jpeg', 'image/png', and 'image/webp'"
        message = (
            f"Invalid file '{param}': unsupported mimetype ('{file.content_type}')."
            f" Supported file formats are {listed}."
        )
        raise _bad_file(message, param, code="unsupported_file_mimetype")
    if len(file.data) >= _MAX_BYTES:
        message = "Image file too large. It must be less than 50MB."
        raise _bad_file(message, param, code="image_file_too_large")
    found: Facts | None = gevent.get_hub().threadpool.apply(facts_of, (file.data,))
    if found is None:
        raise _bad_file(
            "Invalid image file or mode for image 1, please check your image file.", param
        )
    return found


def _check_dall_e(file: FormFile, found: Facts) -> None:
    if found.format != "png" or len(file.data) >= _DALL_E_MAX_BYTES:
        raise _bad_file("Uploaded image must be a PNG and less than 4 MB.", "image")
    if found.width != found.height:
        raise _bad_file("Uploaded image must be square.", "image")


def _mask(file: FormFile, first: Facts) -> Facts:
    found = _facts(file, "mask")
    if found.format != "png" or len(file.data) >= _DALL_E_MAX_BYTES:
        raise _bad_file("The mask must be a PNG and less than 4 MB.", "mask")
    if (found.width, found.height) != (first.width, first.height):
        message = "Invalid mask image format - mask size does not match image size."
        raise _bad_file(message, "mask", code="invalid_mask_image_format")
    if not found.has_alpha:
        message = "Invalid mask image format - mask image missing alpha channel."
        raise _bad_file(message, "mask", code="invalid_mask_image_format")
    return found


def _bad_file(message: str, param: str, *, code: str = "invalid_image_file") -> OpenAIError:
    return OpenAIError(400, message, type_=USER_ERROR, code=code, param=param)


def _invalid(message: str, param: str) -> OpenAIError:
    return OpenAIError(400, message, code="invalid_value", param=param)


def _unknown(name: str) -> OpenAIError:
    message = f"Unknown parameter: '{name}'."
    return OpenAIError(400, message, code="unknown_parameter", param=name)
