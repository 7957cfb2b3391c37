"""From the fields and files of a form to a checked request for an edit or a variation."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.errors import InvalidRequestError, MissingParameterError
from gateway.parameters.files import (
    MAX_INPUTS,
    MAX_MASK_BYTES,
    SentFile,
    check_input,
    check_mask,
)
from gateway.parameters.generation import Attachments, default_model_id, parse_generation
from gateway.parameters.types import GenerationRequest, InputFile
from gateway.types import Operation

FILE_FIELDS: Final = frozenset({"image", "image[]", "mask"})
_INTEGERS: Final = ("n", "partial_images", "output_compression", "seed")
_INTEGER: Final = re.compile(r"-?[0-9]{1,12}", re.ASCII)
_WORDS: Final[Mapping[str, object]] = {"true": True, "false": False, "null": None}


def parse_edit(
    fields: Mapping[str, str],
    files: Sequence[SentFile],
    *,
    operation: Operation,
    default_model: str | None,
    max_pixels: int,
) -> GenerationRequest:
    """Check a form for an edit or a variation, and resolve its defaults.

    Args:
        fields: The text fields; empty ones count as absent.
        files: In the order of the form.
        operation: An edit, or a variation, which has one image and no prompt.
        default_model: The organization's own default, for requests that name no model.
        max_pixels: Of one image.

    Raises:
        MissingParameterError: There is no image, or an edit has no prompt.
        InvalidRequestError: A value or a file is wrong; `param` names its field.
        ModelNotFoundError, UnsupportedValueError: As `parse_generation`; also for a model that
            cannot edit.
    """
    sent = {name: _value(name, text) for name, text in fields.items() if text != ""}
    for name in sorted(FILE_FIELDS & sent.keys()):
        raise InvalidRequestError(f"`{name}` must be a file.", param=name.removesuffix("[]"))
    attachments = read_attachments(files, operation=operation, max_pixels=max_pixels)
    if operation is Operation.VARIATION:
        sent.pop("prompt", None)
    if sent.get("model") is None and not default_model:
        sent["model"] = _default_model(sent, attachments)
    return parse_generation(sent, default_model=default_model, attachments=attachments)


def _value(name: str, text: str) -> object:
    """Return a field as JSON would have it; what cannot be one is left for the check to name."""
    if name in _INTEGERS and _INTEGER.fullmatch(text):
        return int(text)
    if name == "stream":
        return _WORDS.get(text.lower(), text)
    return text


def read_attachments(
    files: Sequence[SentFile], *, operation: Operation, max_pixels: int
) -> Attachments:
    """Check the files of an edit or a variation.

    Raises:
        MissingParameterError: There is no image.
        InvalidRequestError: There are too many, or one is wrong; `param` names its field.
    """
    images = [sent for sent in files if sent.param == "image"]
    masks = [sent for sent in files if sent.param == "mask"]
    most = 1 if operation is Operation.VARIATION else MAX_INPUTS
    if not images:
        raise MissingParameterError("`image` is required: a PNG, JPEG or WebP file.", param="image")
    if len(images) > most:
        raise InvalidRequestError(f"`image` may be given {most} times at most.", param="image")
    if len(masks) > 1 or (masks and operation is Operation.VARIATION):
        raise InvalidRequestError("`mask` is one file, of an edit.", param="mask")
    inputs = tuple(check_input(sent, max_pixels=max_pixels) for sent in images)
    masked = [check_mask(sent, first=inputs[0], max_pixels=max_pixels) for sent in masks]
    return Attachments(operation, inputs, masked[0] if masked else None)


def _default_model(sent: Mapping[str, object], attachments: Attachments) -> str:
    """Choose as for a generation; files that dall-e-2 does not take ask for a GPT image model."""
    if attachments.operation is Operation.EDIT:
        first, *more = attachments.inputs
        if more or not _is_for_dall_e(first) or sent.get("input_fidelity") is not None:
            return "gpt-image-1"
        return default_model_id(sent)
    return "dall-e-2"


def _is_for_dall_e(file: InputFile) -> bool:
    return (
        file.content_type == "image/png"
        and file.width == file.height
        and file.size_bytes <= MAX_MASK_BYTES
    )
