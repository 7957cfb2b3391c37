"""What OpenAI's image models accept, and the error bodies they answer with.

Sources: the openai-python 3.52.0 types, the openai-openapi description of 2026-08-21 and error
bodies quoted in public issues, all read 2026-11-21. Texts nobody has quoted are worded alike.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

GPT_SIZES: Final = ("1024x1024", "1024x1536", "1536x1024")
# Output tokens of the gpt-image-1 family per quality, in the order of GPT_SIZES (image guide).
_FIRST_FAMILY_TOKENS: Final = {
    "low": (272, 408, 400),
    "medium": (1056, 1584, 1568),
    "high": (4160, 6240, 6208),
}
# The grid of the newer families: long edge in cells per quality.
_GRID_2: Final = {"low": 16, "medium": 48, "high": 96}
_GRID_25: Final = {"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96}
_COMMON: Final = frozenset({"prompt", "model", "n", "size", "user"})
_GPT_FIELDS: Final = _COMMON | {
    "quality", "background", "moderation", "output_format", "output_compression", "stream",
    "partial_images", "safety_identifier",
}  # fmt: skip
_FULL: Final = 100
_MIN_PIXELS, _MAX_PIXELS, _MAX_EDGE = 655_360, 8_294_400, 3840

USER_ERROR: Final = "image_generation_user_error"
INVALID_REQUEST: Final = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class Model:
    """One image model; `sizes` empty means free sizes, `grid` the token rule of free sizes."""

    fields: frozenset[str]
    sizes: tuple[str, ...]
    qualities: tuple[str, ...]
    prompt_limit: int
    gpt: bool = False
    max_n: int = 10
    transparent: bool = False
    grid: Mapping[str, int] | None = None
    retired: bool = False


_LEVELS: Final = ("low", "medium", "high")
_LEVELS_25: Final = (*_LEVELS, "xhigh", "max")


def _first_family(*, retired: bool = False) -> Model:
    return Model(
        _GPT_FIELDS, GPT_SIZES, _LEVELS, 32_000, gpt=True, transparent=True, retired=retired
    )


_GPT_2: Final = Model(_GPT_FIELDS, (), _LEVELS, 32_000, gpt=True, grid=_GRID_2)
_GPT_25: Final = Model(
    _GPT_FIELDS, (), _LEVELS_25, 32_000, gpt=True, transparent=True, grid=_GRID_25
)
_GPT_26: Final = Model(
    _GPT_FIELDS | {"complexity"}, (), _LEVELS_25, 32_000, gpt=True, transparent=True, grid=_GRID_25
)

MODELS: Final[Mapping[str, Model]] = {
    "dall-e-2": Model(
        _COMMON | {"quality", "response_format"},
        ("256x256", "512x512", "1024x1024"),
        ("standard",),
        1000,
        retired=True,
    ),
    "dall-e-3": Model(
        _COMMON | {"quality", "response_format", "style"},
        ("1024x1024", "1024x1792", "1792x1024"),
        ("standard", "hd"),
        4000,
        max_n=1,
        retired=True,
    ),
    "gpt-image-1": _first_family(retired=True),
    "gpt-image-1-mini": _first_family(),
    "gpt-image-1.5": _first_family(),
    "gpt-image-1.5-2025-12-16": _first_family(),
    "chatgpt-image-latest": _first_family(),
    "gpt-image-2": _GPT_2,
    "gpt-image-2-2026-04-21": _GPT_2,
    "gpt-image-2.5-sunburst": _GPT_25,
    "gpt-image-2.5-sunburst-2026-09-08": _GPT_25,
    "gpt-image-2.5-flare": _GPT_25,
    "gpt-image-2.5-flare-2026-09-08": _GPT_25,
    "gpt-image-2.6-sunburst": _GPT_26,
    "gpt-image-2.6-flare": _GPT_26,
}


class OpenAIError(Exception):
    """One error answer of the API."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type_: str = INVALID_REQUEST,
        code: str | None = None,
        param: str | None = None,
        more: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body = {
            "error": {
                "message": message,
                "type": type_,
                "param": param,
                "code": code,
                **(more or {}),
            }
        }


@dataclass(frozen=True, slots=True)
class Params:
    """A valid request with `auto` resolved the way the sandbox does: 1024x1024 and medium."""

    model_id: str
    model: Model
    prompt: str
    n: int
    width: int
    height: int
    quality: str
    style: str
    background: str
    output_format: str
    compression: int
    as_url: bool
    stream: bool
    partial_images: int
    inputs: tuple[bytes, ...] = ()
    mask: bytes = b""
    input_tokens: int = 0

    @property
    def size(self) -> str:
        """The size as the answer echoes it."""
        return f"{self.width}x{self.height}"


def read_params(body: object, *, retired: bool) -> Params:
    """Validate a generation request.

    Raises:
        OpenAIError: with the body that the real API answers.
    """
    if not isinstance(body, dict):
        raise OpenAIError(400, "We expected a JSON object as the body of your request.")
    values = {key: value for key, value in body.items() if value is not None}
    model_id, model = _model(values, retired=retired)
    for name in body:
        if name not in model.fields:
            raise OpenAIError(
                400, f"Unknown parameter: '{name}'.", code="unknown_parameter", param=str(name)
            )
    prompt = _prompt(values, model)
    size = _size(values, model)
    output_format = _choice(values, "output_format", ("png", "jpeg", "webp"), "png")
    width, height = (int(edge) for edge in size.split("x"))
    params = Params(
        model_id=model_id,
        model=model,
        prompt=prompt,
        n=_count(values, model),
        width=width,
        height=height,
        quality=_quality(values, model),
        style=_choice(values, "style", ("vivid", "natural"), "vivid"),
        background=_choice(values, "background", ("transparent", "opaque", "auto"), "auto"),
        output_format=output_format,
        compression=_integer(values, "output_compression", _FULL, 0, _FULL),
        as_url=not model.gpt
        and _choice(values, "response_format", ("url", "b64_json"), "url") == "url",
        stream=_flag(values, "stream"),
        partial_images=_integer(values, "partial_images", 0, 0, 3),
    )
    _choice(values, "moderation", ("auto", "low"), "auto")
    _choice(values, "complexity", _LEVELS, "medium")
    _check_together(params)
    return params


def usage(params: Params, images: int) -> dict[str, object]:
    """Token usage of an answer: text at about four letters a token, images by the token rules."""
    text = max(1, math.ceil(len(params.prompt) / 4))
    output = images * (output_tokens(params) + 100 * params.partial_images * params.stream)
    return {
        "input_tokens": text + params.input_tokens,
        "input_tokens_details": {"text_tokens": text, "image_tokens": params.input_tokens},
        "output_tokens": output,
        "output_tokens_details": {"image_tokens": output, "text_tokens": 0},
        "total_tokens": text + params.input_tokens + output,
    }


def output_tokens(params: Params) -> int:
    """Tokens of one image; the grid rule reproduces every published reading for 2 and 2.5."""
    if params.model.grid is None:
        return _FIRST_FAMILY_TOKENS[params.quality][GPT_SIZES.index(params.size)]
    long, short = max(params.width, params.height), min(params.width, params.height)
    cells = params.model.grid[params.quality]
    rows = (2 * cells * short + long) // (2 * long)
    return -(-cells * rows * (2_000_000 + params.width * params.height) // 4_000_000)


def model_error(model_id: str) -> OpenAIError:
    """Return the 404 for a model nobody has."""
    message = f"The model `{model_id}` does not exist or you do not have access to it."
    return OpenAIError(404, message, code="model_not_found")


def _model(values: Mapping[str, Any], *, retired: bool) -> tuple[str, Model]:
    model_id = values.get("model", "dall-e-2")
    if not isinstance(model_id, str):
        raise _wrong_type("model", "a string", model_id)
    model = MODELS.get(model_id)
    if model is None:
        raise model_error(model_id)
    if retired and model.retired:
        message = f"The model '{model_id}' does not exist."
        raise OpenAIError(400, message, type_=USER_ERROR, code="invalid_value", param="model")
    return model_id, model


def _prompt(values: Mapping[str, Any], model: Model) -> str:
    if "prompt" not in values:
        raise OpenAIError(
            400,
            "Missing required parameter: 'prompt'.",
            code="missing_required_parameter",
            param="prompt",
        )
    prompt = values["prompt"]
    if not isinstance(prompt, str):
        raise _wrong_type("prompt", "a string", prompt)
    limit = model.prompt_limit
    if not prompt:
        raise OpenAIError(
            400,
            "Invalid 'prompt': empty string. Expected a string with minimum length 1, but got an"
            " empty string instead.",
            code="empty_string",
            param="prompt",
        )
    if len(prompt) > limit:
        raise OpenAIError(
            400,
            f"Invalid 'prompt': string too long. Expected a string with maximum length {limit},"
            f" but got a string with length {len(prompt)} instead.",
            code="string_above_max_length",
            param="prompt",
        )
    return prompt


def _count(values: Mapping[str, Any], model: Model) -> int:
    count = _integer(values, "n", 1, 1, 10)
    if count > model.max_n:
        raise OpenAIError(400, "You must provide n=1 for this model.")
    return count


def _size(values: Mapping[str, Any], model: Model) -> str:
    size = values.get("size", "1024x1024")
    if not isinstance(size, str):
        raise _wrong_type("size", "a string", size)
    if model.gpt and size == "auto":
        return "1024x1024"
    if size in model.sizes:
        return size
    if model.gpt and model.sizes:
        allowed = f"{', '.join(model.sizes)}, and auto"
        raise _bad_size(f"Invalid size '{size}'. Supported sizes are {allowed}.")
    if model.sizes:
        raise _bad_size(f"Invalid value: '{size}'. Supported values are: {_listed(model.sizes)}.")
    return _free_size(size)


def _free_size(size: str) -> str:
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", size)
    if match is None:
        raise _bad_size(f"Invalid size '{size}'. Expected WIDTHxHEIGHT or auto.")
    width, height = int(match[1]), int(match[2])
    long, short = max(width, height), min(width, height)
    if width % 16 or height % 16:
        raise _bad_size(f"Invalid size '{size}'. Width and height must both be divisible by 16.")
    if long > 3 * short:
        raise _bad_size(f"Invalid size '{size}'. The aspect ratio must be between 1:3 and 3:1.")
    if long > _MAX_EDGE:
        raise _bad_size(f"Invalid size '{size}'. The longest edge must be at most {_MAX_EDGE}.")
    if not _MIN_PIXELS <= width * height <= _MAX_PIXELS:
        limits = f"between {_MIN_PIXELS} and {_MAX_PIXELS}"
        raise _bad_size(f"Invalid size '{size}'. The number of pixels must be {limits}.")
    return size


def _quality(values: Mapping[str, Any], model: Model) -> str:
    allowed = model.qualities if model.qualities == ("standard",) else (*model.qualities, "auto")
    quality = _choice(values, "quality", allowed, "auto")
    if quality != "auto":
        return quality
    return "medium" if model.gpt else "standard"


def _check_together(params: Params) -> None:
    if params.background == "transparent" and not params.model.transparent:
        message = "Transparent background is not supported for this model."
        raise OpenAIError(400, message, type_=USER_ERROR, code="invalid_value", param="background")
    if params.background == "transparent" and params.output_format == "jpeg":
        message = "Transparent background is not supported for JPEG output format."
        raise OpenAIError(400, message, type_=USER_ERROR, code="invalid_value", param="background")
    if params.output_format == "png" and params.compression < _FULL:
        message = "Compression less than 100 is not supported for PNG output format."
        raise OpenAIError(
            400, message, type_=USER_ERROR, code="invalid_value", param="output_compression"
        )
    if params.stream and params.n > 1:
        message = "Streaming is only supported with n=1."
        raise OpenAIError(400, message, type_=USER_ERROR, code="invalid_value", param="n")


def _choice(values: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = values.get(name, default)
    if not isinstance(value, str):
        raise _wrong_type(name, f"one of {_listed(allowed)}", value)
    if value not in allowed and name in values:
        message = f"Invalid value: '{value}'. Supported values are: {_listed(allowed)}."
        raise OpenAIError(400, message, code="invalid_value", param=name)
    return value


def _integer(values: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = values.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(name, "an integer", value)
    if low <= value <= high:
        return value
    side, sign, bound = (
        ("below minimum", ">=", low) if value < low else ("above maximum", "<=", high)
    )
    raise OpenAIError(
        400,
        f"Invalid '{name}': integer {side} value. Expected a value {sign} {bound},"
        f" but got {value} instead.",
        code="integer_below_min_value" if value < low else "integer_above_max_value",
        param=name,
    )


def _flag(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        raise _wrong_type(name, "a boolean", value)
    return value


def _bad_size(message: str) -> OpenAIError:
    return OpenAIError(400, message, type_=USER_ERROR, code="invalid_value", param="size")


def _wrong_type(name: str, expected: str, value: object) -> OpenAIError:
    kinds = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string"}
    got = kinds.get(type(value), "an array" if isinstance(value, list) else "an object")
    message = f"Invalid type for '{name}': expected {expected}, but got {got} instead."
    return OpenAIError(400, message, code="invalid_type", param=name)


def _listed(values: tuple[str, ...]) -> str:
    quoted = [f"'{value}'" for value in values]
    if len(quoted) <= 2:  # noqa: PLR2004 - grammar
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
