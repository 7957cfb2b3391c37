"""What Black Forest Labs' models accept, the pictures their fields mean, and what those cost.

Source: docs.bfl.ai and the types of the client blackforest 0.1.3, read 2026-11-21. Problems are
worded as FastAPI words them. Unknown fields are ignored.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from sandbox.data_uris import decode_image
from sandbox.retouching import facts_of

_KONTEXT_SIZES: Final = {
    "21:9": (1568, 672), "16:9": (1392, 752), "4:3": (1184, 880), "3:2": (1248, 832),
    "1:1": (1024, 1024), "2:3": (832, 1248), "3:4": (880, 1184), "9:16": (752, 1392),
    "9:21": (672, 1568),
}  # fmt: skip
_ULTRA_SIZES: Final = {
    "21:9": (3136, 1344), "16:9": (2752, 1536), "4:3": (2368, 1792), "3:2": (2496, 1664),
    "1:1": (2048, 2048), "2:3": (1664, 2496), "3:4": (1792, 2368), "9:16": (1536, 2752),
    "9:21": (1344, 3136),
}  # fmt: skip
_WIDEST: Final = 21 / 9
_RATIO: Final = re.compile(r"([1-9]\d?):([1-9]\d?)")
_MEGAPIXEL: Final = 1024 * 1024
_FLUX_2_PIXELS: Final = 4 * _MEGAPIXEL
_INPUT_BYTES: Final = 20 * 1024 * 1024
_INPUT_PIXELS: Final = 20_000_000
_STRICT: Final = 2  # of Kontext's tolerance, where it edits

Problem = dict[str, object]


@dataclass(frozen=True, slots=True)
class Field:
    """One input; `kind` is text, image, integer, number, flag, choice or ratio."""

    kind: str
    low: float = -math.inf
    high: float = math.inf
    multiple: int = 1
    choices: tuple[str, ...] = ()
    default: object = None


@dataclass(frozen=True, slots=True)
class Model:
    """One endpoint; costs are credits of a cent, for the first megapixel and each further one.

    A megapixel of an image sent along costs as a further one does.
    """

    fields: Mapping[str, Field]
    first: Decimal
    further: Decimal = Decimal(0)
    max_pixels: float = math.inf
    ratios: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inputs:
    """A valid body with its defaults filled in."""

    prompt: str
    width: int
    height: int
    format: str
    seed: int | None
    cost: Decimal
    images: tuple[bytes, ...] = field(default=(), repr=False)
    input_megapixels: int = 0

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
}


def _images(count: int) -> dict[str, Field]:
    names = ("input_image", *(f"input_image_{number}" for number in range(2, count + 1)))
    return {name: Field("image") for name in names}


def _flux_2(
    first: str, further: str, more: Mapping[str, Field] | None = None, *, images: int = 8
) -> Model:
    fields = {**_FLUX_2, **_images(images), **(more or {})}
    return Model(fields, Decimal(first), Decimal(further), _FLUX_2_PIXELS)


def _kontext(price: str) -> Model:
    fields = {
        **_COMMON,
        **_images(4),
        "output_format": Field("choice", choices=("jpeg", "png"), default="png"),
        "aspect_ratio": Field("ratio", default="1:1"),
        "prompt_upsampling": Field("flag"),
        "safety_tolerance": Field("integer", 0, 6),
    }
    return Model(fields, Decimal(price), ratios=_KONTEXT_SIZES)


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
        ratios=_ULTRA_SIZES,
    ),
    "flux-pro": Model({**_PRO, **_STEERED}, Decimal(5)),
    "flux-dev": Model({**_PRO, **_STEERED}, Decimal("2.5")),
    "flux-kontext-pro": _kontext("4"),
    "flux-kontext-max": _kontext("8"),
    "flux-2-pro": _flux_2("3", "1.5"),
    "flux-2-max": _flux_2("7", "3"),
    "flux-2-flex": _flux_2("5", "5", _STEERED),
    "flux-2-klein-4b": _flux_2("1.4", "0.1", images=4),
    "flux-2-klein-9b": _flux_2("1.5", "0.2", images=4),
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
    images = tuple(
        decode_image(values[name]) or b""
        for name, rule in model.fields.items()
        if rule.kind == "image" and values[name]
    )
    if images and "aspect_ratio" in model.fields and (values["safety_tolerance"] or 0) > _STRICT:
        message = "Input should be less than or equal to 2"
        raise InvalidInputError([_problem("less_than_equal", ("safety_tolerance",), message)])
    width, height = _size(model, values)
    if width * height > model.max_pixels:
        message = f"Value error, {width}x{height} is more than 4 megapixels"
        raise InvalidInputError([_problem("value_error", (), message)])
    further = max(0, math.ceil(width * height / _MEGAPIXEL) - 1)
    sent = sum(map(_begun_megapixels, images))
    return Inputs(
        prompt=values["prompt"],
        width=width,
        height=height,
        format=values["output_format"],
        seed=values["seed"],
        cost=model.first + (further + sent) * model.further,
        images=images,
        input_megapixels=sent,
    )


def _size(model: Model, values: Mapping[str, Any]) -> tuple[int, int]:
    if model.ratios:
        return _size_of_ratio(model, values["aspect_ratio"])
    return int(values["width"]), int(values["height"])


def _begun_megapixels(image: bytes) -> int:
    facts = facts_of(image)
    return math.ceil(facts.width * facts.height / _MEGAPIXEL) if facts else 0


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


def _check_image(_rule: Field, value: object) -> _Found:
    """Addresses of images are not fetched here."""
    if not isinstance(value, str):
        return "string_type", "Input should be a valid string"
    data = decode_image(value)
    facts = facts_of(data) if data else None
    if data is None or facts is None:
        return "value_error", "Value error, Invalid input image"
    if len(data) > _INPUT_BYTES or facts.width * facts.height > _INPUT_PIXELS:
        return "value_error", "Value error, Input image exceeds 20MB or 20 megapixels"
    return None


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
    "image": _check_image,
    "flag": _check_flag,
    "integer": _check_number,
    "number": _check_number,
    "choice": _check_choice,
    "ratio": _check_ratio,
}


def _size_of_ratio(model: Model, ratio: str) -> tuple[int, int]:
    """About the area of the model's square; ratios that no source lists are computed alike."""
    if ratio in model.ratios:
        return model.ratios[ratio]
    wide, high = map(int, ratio.split(":"))
    width = math.sqrt(math.prod(model.ratios["1:1"]) * wide / high)
    return round(width / 32) * 32, round(width * high / wide / 32) * 32
