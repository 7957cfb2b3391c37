"""What xAI's image models accept, and the error bodies they answer with.

Sources: the types of @ai-sdk/xai and xai-sdk, LiteLLM's price map, and error bodies quoted in
public issues, all read 2026-11-21. Texts nobody has quoted are worded alike; pixels of the ratios
are those that users report.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.server import Response, json_response

_COMMON: Final = frozenset({"prompt", "model", "n", "response_format", "user"})
_SHAPED: Final = _COMMON | {"aspect_ratio", "resolution"}
_RATIOS: Final[Mapping[str, tuple[int, int]]] = {
    "1:1": (1024, 1024), "3:4": (896, 1280), "4:3": (1280, 896), "9:16": (768, 1408),
    "16:9": (1408, 768), "2:3": (864, 1296), "3:2": (1296, 864), "9:19.5": (576, 1248),
    "19.5:9": (1248, 576), "9:20": (576, 1280), "20:9": (1280, 576), "1:2": (704, 1408),
    "2:1": (1408, 704), "auto": (1024, 1024),
}  # fmt: skip
_MAX_EDGE: Final = 2048
_MAX_N: Final = 10
# A tick is 10^-10 US dollars.
_CENT: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """One image model; `ticks` is the price of a 1k image by quality, "" where it has none."""

    fields: frozenset[str]
    ticks: Mapping[str, int]
    rewrites: bool = False
    retired: bool = False


MODELS: Final[Mapping[str, Model]] = {
    "grok-2-image": Model(_COMMON, {"": 7 * _CENT}, rewrites=True, retired=True),
    "grok-2-image-1212": Model(_COMMON, {"": 7 * _CENT}, rewrites=True, retired=True),
    "grok-imagine-image": Model(_SHAPED, {"": 2 * _CENT}),
    "grok-imagine-image-quality": Model(_SHAPED, {"": 5 * _CENT}, retired=True),
    "grok-imagine-image-pro": Model(_SHAPED, {"": 5 * _CENT}),
    "grok-imagine-image-2.0": Model(
        _SHAPED | {"quality"}, {"low": 4 * _CENT, "medium": 6 * _CENT, "high": 8 * _CENT}
    ),
}


class XAIError(Exception):
    """One error answer; `code` None is one in plain text."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        usage: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.usage = usage

    def response(self) -> Response:
        """Answer with it."""
        if self.code is None:
            return Response(self.status, self.message.encode(), "text/plain", self.headers)
        body: dict[str, object] = {"code": self.code, "error": self.message}
        if self.usage is not None:
            body["usage"] = self.usage
        return json_response(body, status=self.status, headers=self.headers)


@dataclass(frozen=True, slots=True)
class Params:
    """A valid request."""

    model_id: str
    prompt: str
    n: int
    width: int
    height: int
    as_url: bool
    ticks: int = field(repr=False)
    inputs: tuple[bytes, ...] = field(default=(), repr=False)
    input_ticks: int = field(default=0, repr=False)


def invalid(message: str, *, usage: Mapping[str, object] | None = None) -> XAIError:
    """Return the 400 of a request that cannot be."""
    return XAIError(400, "Client specified an invalid argument", message, usage=usage)


def read_params(body: object, *, retired: bool) -> Params:
    """Validate a generation request.

    Raises:
        XAIError: with the body that the real API answers.
    """
    if not isinstance(body, dict):
        raise undecodable("invalid type, expected struct GenerateImageRequest")
    values: dict[str, Any] = {key: value for key, value in body.items() if value is not None}
    model_id, model = _model(values, retired=retired)
    for name in values:
        if name not in model.fields:
            raise XAIError(400, "400", f"Argument not supported: {name}")
    quality = _choice(
        values, "quality", tuple(model.ticks), "medium" if len(model.ticks) > 1 else ""
    )
    resolution = _choice(values, "resolution", ("1k", "2k"), "1k")
    ratio = _choice(values, "aspect_ratio", tuple(_RATIOS), "1:1")
    shaped = "aspect_ratio" in model.fields
    width, height = _pixels(ratio, resolution) if shaped else (1024, 768)
    return Params(
        model_id=model_id,
        prompt=_prompt(values),
        n=_count(values),
        width=width,
        height=height,
        as_url=_choice(values, "response_format", ("url", "b64_json"), "url") == "url",
        ticks=model.ticks[quality],
    )


def _model(values: Mapping[str, Any], *, retired: bool) -> tuple[str, Model]:
    model_id = values.get("model")
    if not isinstance(model_id, str):
        raise undecodable("missing field `model`")
    model = MODELS.get(model_id)
    if model is None or (retired and model.retired):
        message = f"The model {model_id} does not exist or your team does not have access to it."
        raise XAIError(404, "Some requested entity was not found", message)
    return model_id, model


def _prompt(values: Mapping[str, Any]) -> str:
    prompt = values.get("prompt")
    if not isinstance(prompt, str):
        raise undecodable("missing field `prompt`")
    if not prompt.strip():
        raise invalid("Prompt cannot be empty.")
    return prompt


def _count(values: Mapping[str, Any]) -> int:
    count = values.get("n", 1)
    if not isinstance(count, int) or isinstance(count, bool):
        raise undecodable("n: invalid type, expected u32")
    if not 1 <= count <= _MAX_N:
        raise invalid(f"n must be between 1 and {_MAX_N}.")
    return count


def _choice(values: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = values.get(name, default)
    if name in values and value not in allowed:
        listed = ", ".join(f"`{one}`" for one in allowed)
        raise undecodable(f"{name}: unknown variant `{value}`, expected one of {listed}")
    return str(value)


def _pixels(ratio: str, resolution: str) -> tuple[int, int]:
    width, height = _RATIOS[ratio]
    if resolution == "1k":
        return width, height
    scale = min(2.0, _MAX_EDGE / max(width, height))
    return round(width * scale / 16) * 16, round(height * scale / 16) * 16


def undecodable(detail: str) -> XAIError:
    """Return the answer to a body of another shape."""
    return XAIError(
        422, None, f"Failed to deserialize the JSON body into the target type: {detail}"
    )
