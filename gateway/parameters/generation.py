"""From a decoded JSON body to a checked generation request."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size, nearest_shape
from gateway.catalog.types import Family, Model
from gateway.errors import (
    InvalidJSONError,
    InvalidRequestError,
    MissingParameterError,
    ModelNotFoundError,
    UnsupportedValueError,
)
from gateway.parameters.fields import (
    Body,
    amount_field,
    bool_field,
    int_field,
    not_one_of,
    text_field,
    word_field,
)
from gateway.parameters.types import GenerationRequest, InputFile, ResponseFormat
from gateway.types import Operation

AUTO: Final = "auto"
FULL_QUALITY = 100
MAX_SEED = 2**31 - 1
MAX_USER_LENGTH = 512
MAX_PARTIAL_IMAGES = 3
MAX_DROPPED_NAMES = 20
OUTPUT_FORMATS = ("png", "jpeg", "webp")
BACKGROUNDS = (AUTO, "transparent", "opaque")
MODERATIONS = (AUTO, "low")
STYLES = ("vivid", "natural")
FIDELITIES = ("low", "high")
EDIT_FIELDS = frozenset({"input_fidelity"})

KNOWN_FIELDS = frozenset(
    {
        "model",
        "prompt",
        "n",
        "size",
        "quality",
        "style",
        "response_format",
        "output_format",
        "output_compression",
        "background",
        "moderation",
        "stream",
        "partial_images",
        "seed",
        "user",
        "max_cost",
        "quote_id",
    }
)
# Values that select a GPT image model when no model is named.
_GPT_DEFAULTS: Mapping[str, object] = {
    "background": AUTO,
    "moderation": AUTO,
    "output_format": "png",
    "output_compression": FULL_QUALITY,
    "stream": False,
    "partial_images": 0,
}
_GPT_QUALITIES = frozenset({"low", "medium", "high"})
_GPT_SIZES = frozenset({"1536x1024", "1024x1536"})
DROPPED_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attachments:
    """The checked files that came with a request, and what they are for."""

    operation: Operation = Operation.GENERATION
    inputs: tuple[InputFile, ...] = ()
    mask: InputFile | None = None


NONE = Attachments()


def parse_generation(
    body: object, *, default_model: str | None, attachments: Attachments = NONE
) -> GenerationRequest:
    """Check a generation request and resolve its defaults.

    Args:
        body: The decoded JSON; nulls count as absent.
        default_model: The organization's own default, for requests that name no model.
        attachments: Of an edit or a variation.

    Raises:
        InvalidJSONError: The body is not an object.
        ModelNotFoundError: The catalog has no such model.
        MissingParameterError: The prompt is absent or blank.
        InvalidRequestError: A value is wrong; `param` names its field.
        UnsupportedValueError: A right value that is not offered.
    """
    if not isinstance(body, dict):
        raise InvalidJSONError("The body must be a JSON object.")
    sent: Body = {name: value for name, value in body.items() if value is not None}
    model = _model(sent, default_model)
    known = KNOWN_FIELDS | EDIT_FIELDS if attachments.inputs else KNOWN_FIELDS
    dropped = _Dropped(name for name in sent if name not in known)
    prompt = _prompt(sent, model, attachments)
    n = _n(sent, model)
    stream, partial_images = _streaming(sent, model, n, dropped)
    output_format, compression = _output(sent, model)
    return GenerationRequest(
        model=model,
        requested_model=model.id,
        prompt=prompt,
        n=n,
        size=_size(sent, model, dropped, _auto_size(model, attachments)),
        quality=_quality(sent, model, dropped),
        style=_style(sent, model, dropped),
        response_format=_response_format(sent, model),
        output_format=output_format,
        output_compression=compression,
        background=_background(sent, model, output_format, dropped),
        moderation=_moderation(sent, model, dropped),
        seed=_seed(sent, model, dropped),
        user=text_field(sent, "user", max_length=MAX_USER_LENGTH) or None,
        max_cost=amount_field(sent, "max_cost"),
        quote_id=text_field(sent, "quote_id"),
        dropped=dropped.names(),
        stream=stream,
        partial_images=partial_images,
        operation=attachments.operation,
        inputs=attachments.inputs,
        mask=attachments.mask,
        input_fidelity=_input_fidelity(sent, model, attachments, dropped),
    )


def default_model_id(sent: Body) -> str:
    """Choose the model of a request that names none, by what else it asks for."""
    wants_gpt_image = (
        any(sent.get(name, default) != default for name, default in _GPT_DEFAULTS.items())
        or _is_one_of(sent.get("quality"), _GPT_QUALITIES)
        or _is_one_of(sent.get("size"), _GPT_SIZES)
    )
    return "gpt-image-1" if wants_gpt_image else "dall-e-2"


class _Dropped:
    """The names of ignored parameters, in the order in which they were found."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def add(self, name: str) -> None:
        self._names.append(name)

    def names(self) -> tuple[str, ...]:
        """Return those that may stand in a header."""
        printable = [name for name in self._names if DROPPED_NAME.fullmatch(name)]
        return tuple(printable[:MAX_DROPPED_NAMES])


def _is_one_of(value: object, words: frozenset[str]) -> bool:
    return isinstance(value, str) and value in words


def _model(sent: Body, default_model: str | None) -> Model:
    model_id = text_field(sent, "model")
    if model_id is None:
        model_id = default_model or default_model_id(sent)
    model = catalog().find(model_id)
    if model is None:
        shown = model_id[:80].encode("ascii", "backslashreplace").decode()
        raise ModelNotFoundError(f"The model '{shown}' does not exist.", param="model")
    return model


def _prompt(sent: Body, model: Model, attachments: Attachments) -> str:
    if attachments.operation is not Operation.GENERATION and not model.max_inputs:
        raise UnsupportedValueError(f"{model.id} cannot edit images.", param="model")
    if attachments.operation is Operation.VARIATION:
        return ""
    prompt = text_field(sent, "prompt", max_length=model.prompt_limit)
    if prompt is None or not prompt.strip():
        raise MissingParameterError("`prompt` is required and may not be blank.", param="prompt")
    return prompt


def _n(sent: Body, model: Model) -> int:
    return int_field(sent, "n", low=1, high=model.max_n) or 1


def _streaming(sent: Body, model: Model, n: int, dropped: _Dropped) -> tuple[bool, int]:
    """Read both fields; partial images mean nothing without a stream, or where no route has any."""
    stream = bool_field(sent, "stream") or False
    partial_images = int_field(sent, "partial_images", low=0, high=MAX_PARTIAL_IMAGES) or 0
    if stream and n > 1:
        raise InvalidRequestError("A stream carries one image: `n` must be 1.", param="n")
    if partial_images and not (stream and model.has_partial_images):
        dropped.add("partial_images")
        partial_images = 0
    return stream, partial_images


def _auto_size(model: Model, attachments: Attachments) -> Size:
    """Return the model's default, or for an edit the usual size of the first image's shape."""
    if attachments.operation is not Operation.EDIT:
        return model.default_size
    first = attachments.inputs[0]
    return nearest_shape(model.sizes.listed, Size(first.width, first.height), model.default_size)


def _size(sent: Body, model: Model, dropped: _Dropped, auto: Size) -> Size:
    text = text_field(sent, "size")
    if text is None or text == AUTO:
        return auto
    wanted = Size.parse(text)
    if wanted is not None and model.sizes.allows(wanted):
        return wanted
    if model.fixed_size:
        dropped.add("size")
        return model.default_size
    if model.sizes.closed:
        raise not_one_of("size", text, (AUTO, *map(str, model.sizes.listed)))
    raise InvalidRequestError(
        "`size` must be 'auto' or WIDTHxHEIGHT with both edges multiples of 16 and at most 3840, "
        "an aspect ratio between 1:3 and 3:1, and 655,360 to 8,294,400 pixels.",
        param="size",
    )


def _quality(sent: Body, model: Model, dropped: _Dropped) -> str | None:
    text = text_field(sent, "quality")
    if text is None or text == AUTO:
        return model.default_quality
    if text in model.qualities:
        return text
    if len(model.qualities) <= 1:
        dropped.add("quality")
        return model.default_quality
    if text in model.quality_aliases:
        return model.quality_aliases[text]
    raise not_one_of("quality", text, (AUTO, *model.qualities, *model.quality_aliases))


def _style(sent: Body, model: Model, dropped: _Dropped) -> str | None:
    if "style" in model.takes:
        return word_field(sent, "style", STYLES) or STYLES[0]
    if (text_field(sent, "style") or STYLES[0]) != STYLES[0]:
        dropped.add("style")
    return None


def _response_format(sent: Body, model: Model) -> ResponseFormat:
    word = word_field(sent, "response_format", ("url", "b64_json"))
    if word is None:
        bare_gpt = model.family is Family.GPT_IMAGE and not model.namespaced
        return "both" if bare_gpt else "url"
    return "url" if word == "url" else "b64_json"


def _output(sent: Body, model: Model) -> tuple[str | None, int]:
    """Resolve the format and its compression, which only lossy formats have."""
    compression = int_field(sent, "output_compression", low=0, high=FULL_QUALITY)
    word = word_field(sent, "output_format", OUTPUT_FORMATS) or model.default_output_format
    if compression is None or compression == FULL_QUALITY:
        return word, FULL_QUALITY
    if word == "png":
        raise InvalidRequestError(
            "`output_compression` below 100 needs `output_format` jpeg or webp.",
            param="output_compression",
        )
    # A compression alone asks for a format that has one.
    return word or "jpeg", compression


def _background(
    sent: Body, model: Model, output_format: str | None, dropped: _Dropped
) -> str | None:
    word = word_field(sent, "background", BACKGROUNDS) or AUTO
    if word == "transparent":
        if not model.transparent:
            raise UnsupportedValueError(
                f"{model.id} cannot draw a transparent background.", param="background"
            )
        if output_format == "jpeg":
            raise InvalidRequestError(
                "A transparent background needs `output_format` png or webp.", param="background"
            )
        return word
    if "background" in model.takes:
        return "opaque"
    if word != AUTO:
        dropped.add("background")
    return None


def _moderation(sent: Body, model: Model, dropped: _Dropped) -> str | None:
    if "moderation" in model.takes:
        return word_field(sent, "moderation", MODERATIONS) or AUTO
    if (text_field(sent, "moderation") or AUTO) != AUTO:
        dropped.add("moderation")
    return None


def _input_fidelity(
    sent: Body, model: Model, attachments: Attachments, dropped: _Dropped
) -> str | None:
    if attachments.operation is Operation.GENERATION:
        return None
    word = word_field(sent, "input_fidelity", FIDELITIES)
    if word is not None and not model.edits_with("input_fidelity"):
        dropped.add("input_fidelity")
        return None
    return word


def _seed(sent: Body, model: Model, dropped: _Dropped) -> int | None:
    seed = int_field(sent, "seed", low=0, high=MAX_SEED)
    if seed is not None and "seed" not in model.takes:
        dropped.add("seed")
        return None
    return seed
