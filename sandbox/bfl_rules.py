"""What Black Forest Labs' models accept, the pictures their fields mean, and what those cost.

Source: docs.bfl.ai and the types of the client blackforest 0.1.3, read 2026-11-21. Problems are
worded as FastAPI words them. Unknown fields are ignored.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_ULTRA_SIZES: Final = {
    "21:9": (3136, 1344), "16:9": (2752, 1536), "4:3": (2368, 1792), "3:2": (2496, 1664),
    "1:1": (2048, 2048), "2:3": (1664, 2496), "3:4": (1792, 2368), "9:16": (1536, 2752),
    "9:21": (1344, 3136),
}  # fmt: skip
_WIDEST: Final = 21 / 9
_RATIO: Final = re.compile(r"([1-9]\d?):([1-9]\d?)")
_ULTRA_PIXELS: Final = 2048 * 2048
_MEGAPIXEL: Final = 1024 * 1024
_FLUX_2_PIXELS: Final = 4 * _MEGAPIXEL

Problem = dict[str, object]


@dataclass(frozen=True, slots=True)
class Field:
    """One input; `kind` is text, integer, number, flag, choice or ratio."""

    kind: str
    low: float = -math.inf
    high: float = math.inf
    multiple: int = 1
    choices: tuple[str, ...] = ()
    default: object = None


@dataclass(frozen=True, slots=True)
class Model:
    """One endpoint; costs are credits of a cent, for the first megapixel and each further one."""

    fields: Mapping[str, Field]
    first: Decimal
    further: Decimal = Decimal(0)
    max_pixels: float = math.inf


@dataclass(frozen=True, slots=True)
class Inputs:
    """A valid body with its defaults filled in."""

    prompt: str
    width: int
    height: int
    format: str
    seed: int | None
    cost: Decimal

    @property
    def megapixels(self) -> float:
        """The area in millions of pixels, as the answer to a submit tells it."""
        return round(self.width * self.height / 1_000_000, 2)


class InvalidInputError(ValueError):
    """The body is not one the model takes."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


def _edges(
    low: int, high: float, multiple: int, *, width: int = 1024, height: int = 768
) -> dict[str, Field]:
    return {
        "width": Field("integer", low, high, multiple, default=width),
        "height": Field("integer", low, high, multiple, default=height),
    }


_COMMON: Final = {
    "prompt": Field("text"),
    "seed": Field("integer"),
    "output_format": Field("choice", choices=("jpeg", "png"), default="jpeg"),
    "webhook_url": Field("text"),
    "webhook_secret": Field("text"),
}
_FLUX_1: Final = {
    **_COMMON,
    "image_prompt": Field("text"),
    "prompt_upsampling": Field("flag"),
    "safety_tolerance": Field("integer", 0, 6),
}
_PRO: Final = {**_FLUX_1, **_edges(256, 1440, 32)}
_STEERED: Final = {"steps": Field("integer", 1, 50), "guidance": Field("number", 1.5, 5)}
_FLUX_2: Final = {
    **_COMMON,
    **_edges(64, math.inf, 16, height=1024),
    "safety_tolerance": Field("integer", 0, 5),
    **{f"input_image{number}": Field("text") for number in ("", *(f"_{n}" for n in range(2, 9)))},
}


def _flux_2(first: str, further: str, more: Mapping[str, Field] | None = None) -> Model:
    return Model({**_FLUX_2, **(more or {})}, Decimal(first), Decimal(further), _FLUX_2_PIXELS)


MODELS: Final[Mapping[str, Model]] = {
    "flux-pro-1.1": Model(_PRO, Decimal(4)),
    "flux-pro-1.1-ultra": Model(
        {
            **_FLUX_1,
            "aspect_ratio": Field("ratio", default="16:9"),
            "raw": Field("flag"),
            "image_prompt_strength": Field("number", 0, 1),
        },
        Decimal(6),
    ),
    "flux-pro": Model({**_PRO, **_STEERED}, Decimal(5)),
    "flux-dev": Model({**_PRO, **_STEERED}, Decimal("2.5")),
    "flux-2-pro": _flux_2("3", "1.5"),
    "flux-2-max": _flux_2("7", "3"),
    "flux-2-flex": _flux_2("5", "5", _STEERED),
    "flux-2-klein-4b": _flux_2("1.4", "0.1"),
    "flux-2-klein-9b": _flux_2("1.5", "0.2"),
}


def read_inputs(model: Model, body: object) -> Inputs:
    """Check a body and fill in the model's defaults.

    Raises:
        InvalidInputError: with every problem of the body.
    """
    if not isinstance(body, dict):
        raise InvalidInputError(
            [_problem("model_attributes_type", (), "Input should be an object")]
        )
    problems = list(_problems(model, body))
    if problems:
        raise InvalidInputError(problems)
    values = {name: _value(body, name, rule) for name, rule in model.fields.items()}
    if "aspect_ratio" in model.fields:
        width, height = _ultra_size(values["aspect_ratio"])
    else:
        width, height = int(values["width"]), int(values["height"])
    if width * height > model.max_pixels:
        message = f"Value error, {width}x{height} is more than 4 megapixels"
        raise InvalidInputError([_problem("value_error", (), message)])
    further = max(0, math.ceil(width * height / _MEGAPIXEL) - 1)
    return Inputs(
        prompt=values["prompt"],
        width=width,
        height=height,
        format=values["output_format"],
        seed=values["seed"],
        cost=model.first + further * model.further,
    )


def _value(body: Mapping[str, Any], name: str, rule: Field) -> Any:  # noqa: ANN401 - checked JSON
    value = body.get(name)
    return rule.default if value is None else value


def _problems(model: Model, body: Mapping[str, Any]) -> Iterator[Problem]:
    if body.get("prompt") is None:
        yield _problem("missing", ("prompt",), "Field required")
    for name, rule in model.fields.items():
        value = body.get(name)
        found = None if value is None else _CHECKS[rule.kind](rule, value)
        if found is not None:
            yield _problem(found[0], (name,), found[1], input=value)


def _problem(kind: str, where: tuple[str, ...], message: str, **more: object) -> Problem:
    return {"type": kind, "loc": ["body", *where], "msg": message, **more}


_Found = tuple[str, str] | None


def _check_text(_rule: Field, value: object) -> _Found:
    return None if isinstance(value, str) else ("string_type", "Input should be a valid string")


def _check_flag(_rule: Field, value: object) -> _Found:
    return None if isinstance(value, bool) else ("bool_type", "Input should be a valid boolean")


def _check_number(rule: Field, value: object) -> _Found:
    kinds: tuple[type, ...] = (int,) if rule.kind == "integer" else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return "int_type", f"Input should be a valid {rule.kind}"
    assert isinstance(value, int | float)  # noqa: S101 - tells the type checker
    if value < rule.low:
        return "greater_than_equal", f"Input should be greater than or equal to {rule.low:g}"
    if value > rule.high:
        return "less_than_equal", f"Input should be less than or equal to {rule.high:g}"
    if value % rule.multiple and rule.multiple > 1:
        return "multiple_of", f"Input should be a multiple of {rule.multiple}"
    return None


def _check_choice(rule: Field, value: object) -> _Found:
    expected = " or ".join(f"'{choice}'" for choice in rule.choices)
    return None if value in rule.choices else ("enum", f"Input should be {expected}")


def _check_ratio(_rule: Field, value: object) -> _Found:
    match = _RATIO.fullmatch(value) if isinstance(value, str) else None
    if match and 1 / _WIDEST <= int(match[1]) / int(match[2]) <= _WIDEST:
        return None
    return "value_error", "Value error, Aspect ratio must be between 21:9 and 9:21"


_CHECKS: Final = {
    "text": _check_text,
    "flag": _check_flag,
    "integer": _check_number,
    "number": _check_number,
    "choice": _check_choice,
    "ratio": _check_ratio,
}


def _ultra_size(ratio: str) -> tuple[int, int]:
    """About four megapixels; ratios that no source lists are computed alike."""
    if ratio in _ULTRA_SIZES:
        return _ULTRA_SIZES[ratio]
    wide, high = map(int, ratio.split(":"))
    width = math.sqrt(_ULTRA_PIXELS * wide / high)
    return round(width / 32) * 32, round(width * high / wide / 32) * 32
