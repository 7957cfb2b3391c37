"""What Stability AI's API accepts: the form of v2beta, the JSON of v1, and the pictures they mean.

Source: platform.stability.ai's reference, read 2026-11-21. It tells the aspect ratios and not their
pixels; those here are the sizes of SDXL and of Stable Diffusion 3, and half as much again on each
edge for Core, whose square is 1536x1536. Problems are worded alike, not quoted.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.forms import Form
from sandbox.retouching import Facts, facts_of

PRESETS: Final = frozenset(
    {
        "3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance",
        "fantasy-art", "isometric", "line-art", "low-poly", "modeling-compound", "neon-punk",
        "origami", "photographic", "pixel-art", "tile-texture",
    }
)  # fmt: skip
_RATIOS: Final = {
    "16:9": (1344, 768), "1:1": (1024, 1024), "21:9": (1536, 640), "2:3": (832, 1216),
    "3:2": (1216, 832), "4:5": (896, 1088), "5:4": (1088, 896), "9:16": (768, 1344),
    "9:21": (640, 1536),
}  # fmt: skip
_SDXL_SIZES: Final = frozenset(
    {
        (1024, 1024), (1152, 896), (896, 1152), (1216, 832), (832, 1216), (1344, 768),
        (768, 1344), (1536, 640), (640, 1536),
    }
)  # fmt: skip
_SD3_MODELS: Final = {
    "sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3-large", "sd3-large-turbo",
    "sd3-medium",
}  # fmt: skip
_PROMPT_MAX: Final = 10_000
_V1_PROMPT_MAX: Final = 2_000
_SEED_MAX: Final = 4_294_967_294
_SAMPLES_MAX: Final = 10
_MEGAPIXEL: Final = 1024 * 1024
_MIN_EDGE: Final = 64
_MODES: Final = frozenset({"text-to-image", "image-to-image"})
ENGINES: Final = ("stable-diffusion-xl-1024-v1-0",)
SERVICES: Final = ("core", "ultra", "sd3")


class InvalidInputError(ValueError):
    """The body is not one the API takes."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Inputs:
    """A valid body with its defaults filled in; `seed` None was left to the server."""

    prompt: str
    model: str
    width: int
    height: int
    images: int
    format: str
    seed: int | None
    sent: tuple[bytes, ...] = field(default=(), repr=False)


def read_v2(service: str, form: Form) -> Inputs:
    """Check a form of v2beta; empty parts of unknown names are ignored.

    Raises:
        InvalidInputError: with every problem of the form.
    """
    fields = {name: text for name, text in form.texts if text or name == "prompt"}
    sent = tuple(file.data for file in form.files if file.name == "image" and file.data)
    problems = [*_form_problems(service, fields), *_image_problems(service, fields, sent)]
    if problems:
        raise InvalidInputError(problems)
    width, height = _RATIOS[fields.get("aspect_ratio", "1:1")]
    facts = facts_of(sent[0]) if sent else None
    if service == "core":
        width, height = width * 3 // 2, height * 3 // 2
    elif service == "sd3" and facts is not None:
        width, height = _in_shape_of(facts)
    return Inputs(
        prompt=fields["prompt"],
        model=fields.get("model", "sd3.5-large") if service == "sd3" else service,
        width=width,
        height=height,
        images=1,
        format=fields.get("output_format", "png"),
        seed=int(fields.get("seed", 0)) or None,
        sent=sent,
    )


def _in_shape_of(facts: Facts) -> tuple[int, int]:
    """One megapixel in steps of 64."""
    wide = math.isqrt(_MEGAPIXEL * facts.width // facts.height)
    high = math.isqrt(_MEGAPIXEL * facts.height // facts.width)
    return wide // 64 * 64, high // 64 * 64


def _image_problems(
    service: str, fields: Mapping[str, str], sent: tuple[bytes, ...]
) -> Iterator[str]:
    by_image = fields.get("mode") == "image-to-image" if service == "sd3" else bool(sent)
    if by_image and not sent:
        yield "image: is required"
    if not by_image:
        return
    if "strength" not in fields:
        yield "strength: is required"
    elif not _is_share(fields["strength"]):
        yield "strength: must be a number between 0 and 1"
    if service == "sd3" and "aspect_ratio" in fields:
        yield "aspect_ratio: is not allowed in image-to-image mode"
    facts = facts_of(sent[0]) if sent else None
    if sent and facts is None:
        yield "image: must be a valid png, jpeg or webp image"
    if facts is not None and min(facts.width, facts.height) < _MIN_EDGE:
        yield f"image: every side must be at least {_MIN_EDGE} pixels"


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _form_problems(service: str, fields: Mapping[str, str]) -> Iterator[str]:
    formats = {"png", "jpeg"} if service == "sd3" else {"png", "jpeg", "webp"}
    choices: dict[str, Any] = {
        "aspect_ratio": _RATIOS,
        "output_format": formats,
        "style_preset": PRESETS,
    }
    if service == "sd3":
        choices |= {"model": _SD3_MODELS, "mode": _MODES}
    if not fields.get("prompt"):
        yield "prompt: is required"
    for name in ("prompt", "negative_prompt"):
        if len(fields.get(name, "")) > _PROMPT_MAX:
            yield f"{name}: cannot be more than {_PROMPT_MAX} characters"
    for name, allowed in choices.items():
        if name in fields and fields[name] not in allowed:
            yield f"{name}: must be one of {', '.join(sorted(allowed))}"
    seed = fields.get("seed", "0")
    if not (seed.isascii() and seed.isdigit() and int(seed) <= _SEED_MAX):
        yield f"seed: must be an integer between 0 and {_SEED_MAX}"


def read_json(engine: str, body: object) -> Inputs:
    """Check a body of v1.

    Raises:
        InvalidInputError: with its first problem.
    """
    if not isinstance(body, dict):
        raise InvalidInputError(["body: must be an object"])
    size = body.get("width", 1024), body.get("height", 1024)
    prompts = body.get("text_prompts")
    for problem in _json_problems(body, size, prompts):
        raise InvalidInputError([problem])
    assert isinstance(prompts, list)  # noqa: S101 - checked above
    return Inputs(
        prompt=str(prompts[0]["text"]),
        model=engine,
        width=size[0],
        height=size[1],
        images=body.get("samples", 1),
        format="png",
        seed=body.get("seed") or None,
    )


def _json_problems(
    body: Mapping[str, Any], size: tuple[object, object], prompts: object
) -> Iterator[str]:
    if not isinstance(prompts, list) or not prompts:
        yield "text_prompts: is required"
        return
    for index, prompt in enumerate(prompts):
        text = prompt.get("text") if isinstance(prompt, dict) else None
        if not isinstance(text, str) or not 0 < len(text) <= _V1_PROMPT_MAX:
            yield f"text_prompts[{index}].text: must be 1 to {_V1_PROMPT_MAX} characters"
    if size not in _SDXL_SIZES:
        yield f"height and width: {size[0]}x{size[1]} is not allowed for this engine"
    for name, low, high in (("samples", 1, _SAMPLES_MAX), ("steps", 10, 50), ("cfg_scale", 0, 35)):
        value = body.get(name, low)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            yield f"{name}: must be an integer between {low} and {high}"
    seed = body.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _SEED_MAX + 1:
        yield f"seed: must be an integer between 0 and {_SEED_MAX + 1}"
    if body.get("style_preset", "enhance") not in PRESETS:
        yield "style_preset: is not a known preset"
