"""What Ideogram's API accepts: its fields by model, its sizes, and the pictures they mean.

Source: Ideogram's OpenAPI description, read 2026-11-21. It names the aspect ratios of Ideogram 3
and not their pixels: here each is the listed resolution nearest to a megapixel.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sandbox.forms import FormFile
from sandbox.retouching import facts_of

_BOTH: Final = """
512x1536 576x1408 576x1472 576x1536 640x1344 640x1408 640x1472 640x1536 704x1152 704x1216
704x1280 704x1344 704x1408 704x1472 736x1312 768x1088 768x1216 768x1280 768x1344 800x1280
832x960 832x1024 832x1088 832x1152 832x1216 832x1248 864x1152 896x960 896x1024 896x1088
896x1120 896x1152 960x832 960x896 960x1024 960x1088 1024x832 1024x896 1024x960 1024x1024
1088x768 1088x832 1088x896 1088x960 1120x896 1152x704 1152x832 1152x864 1152x896 1216x704
1216x768 1216x832 1248x832 1280x704 1280x768 1280x800 1312x736 1344x640 1344x704 1344x768
1408x576 1408x640 1408x704 1472x576 1472x640 1472x704 1536x512 1536x576 1536x640
"""
_V2_ALONE: Final = """
1024x640 640x1024 1024x768 768x1024 1152x768 768x1152 1232x768 768x1232 1280x720 720x1280
"""
_V3_SIZES: Final = frozenset(_BOTH.split())
# The description lists 1280x800 for both and 800x1280 for Ideogram 3 alone.
_V2_SIZES: Final = (_V3_SIZES - {"800x1280"}) | frozenset(_V2_ALONE.split())
_V2_RATIOS: Final = {
    "1_1": "1024x1024", "16_9": "1280x720", "9_16": "720x1280", "4_3": "1152x864",
    "3_4": "864x1152", "3_2": "1248x832", "2_3": "832x1248", "16_10": "1280x800",
    "10_16": "800x1280", "3_1": "1536x512", "1_3": "512x1536",
}  # fmt: skip
_V3_RATIOS: Final = {
    "1x1": "1024x1024", "16x9": "1312x736", "9x16": "736x1312", "4x3": "1152x864",
    "3x4": "864x1152", "3x2": "1248x832", "2x3": "832x1248", "16x10": "1280x800",
    "10x16": "800x1280", "3x1": "1536x512", "1x3": "512x1536", "2x1": "1408x704",
    "1x2": "704x1408", "5x4": "1120x896", "4x5": "896x1120",
}  # fmt: skip
_PALETTES: Final = frozenset(
    {"EMBER", "FRESH", "JUNGLE", "MAGIC", "MELON", "MOSAIC", "PASTEL", "ULTRAMARINE"}
)
_MAGIC: Final = ("AUTO", "ON", "OFF")
_MAX_SEED: Final = 2_147_483_647
_MAX_IMAGES: Final = 8
_MAX_FILE_BYTES: Final = 25 * 1024 * 1024
_V2: Final = frozenset({"V_2", "V_2_TURBO"})


class InvalidInputError(ValueError):
    """The body is not one the API takes."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """A valid body with its defaults filled in."""

    prompt: str
    model: str
    resolution: str
    images: int
    seed: int | None
    style: str
    rewrites: bool
    sent: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height."""
        width, _, height = self.resolution.partition("x")
        return int(width), int(height)


@dataclass(frozen=True, slots=True)
class Rules:
    """The words of one generation of the API."""

    fields: frozenset[str]
    ratios: Mapping[str, str]
    ratio_prefix: str
    styles: tuple[str, ...]
    magic_field: str


_COMMON: Final = frozenset({
    "prompt", "seed", "resolution", "aspect_ratio", "negative_prompt", "num_images",
    "color_palette", "style_type",
})  # fmt: skip
_LEGACY: Final = Rules(
    _COMMON | {"model", "magic_prompt_option"},
    _V2_RATIOS,
    "ASPECT_",
    ("AUTO", "GENERAL", "FICTION", "REALISTIC", "DESIGN", "RENDER_3D", "ANIME"),
    "magic_prompt_option",
)
_V3: Final = Rules(
    _COMMON | {"rendering_speed", "magic_prompt", "style_codes", "style_preset"},
    _V3_RATIOS,
    "",
    ("AUTO", "GENERAL", "REALISTIC", "DESIGN", "FICTION"),
    "magic_prompt",
)
_REMIX: Final = replace(_V3, fields=_V3.fields | {"image_weight"})


def read_legacy(body: object) -> Inputs:
    """Read `{"image_request": {...}}`.

    Raises:
        InvalidInputError: with the words of the answer.
    """
    values = body.get("image_request") if isinstance(body, dict) else None
    if not isinstance(values, dict):
        raise InvalidInputError("image_request is required")
    models = ("V_1", "V_1_TURBO", "V_2", "V_2_TURBO", "V_2A", "V_2A_TURBO", "AUTO")
    model = _word(values, "model", models, "V_2")
    if model not in _V2:
        for name in ("resolution", "color_palette"):
            if name in values:
                raise InvalidInputError(f"{name} is only supported for model V_2")
    resolution = values.get("resolution")
    if resolution is not None:
        size = str(resolution).removeprefix("RESOLUTION_").replace("_", "x")
        if f"RESOLUTION_{size.replace('x', '_')}" != resolution or size not in _V2_SIZES:
            raise InvalidInputError(f"Invalid resolution: {resolution}")
        resolution = size
    return _read(_LEGACY, values, model, resolution)


def read_remix(form: Mapping[str, list[str]], files: Sequence[FormFile]) -> Inputs:
    """Read the fields of a remix, and its one image.

    Raises:
        InvalidInputError: with the words of the answer.
    """
    images = [file.data for file in files if file.name == "image"]
    if len(images) != 1 or len(files) != 1:
        raise InvalidInputError("image is required" if not images else "Only one image is allowed")
    if len(images[0]) > _MAX_FILE_BYTES:
        raise InvalidInputError("image must be at most 25MB")
    if facts_of(images[0]) is None:
        raise InvalidInputError("image must be a JPEG, WebP or PNG file")
    weight = form.get("image_weight", ["50"])[-1]
    if not weight.isdecimal() or not 1 <= int(weight) <= 100:  # noqa: PLR2004 - percent
        raise InvalidInputError("image_weight must be an integer between 1 and 100")
    return replace(read_v3(form, rules=_REMIX), sent=tuple(images))


def read_v3(form: Mapping[str, list[str]], *, rules: Rules = _V3) -> Inputs:
    """Read the fields of a form.

    Raises:
        InvalidInputError: with the words of the answer.
    """
    values: dict[str, Any] = {name: texts[-1] for name, texts in form.items()}
    for name in ("seed", "num_images"):
        text = values.get(name, "0")
        if not text.isdecimal():
            raise InvalidInputError(f"{name} must be an integer")
        if name in values:
            values[name] = int(text)
    speed = _word(values, "rendering_speed", ("FLASH", "TURBO", "DEFAULT", "QUALITY"), "DEFAULT")
    codes = form.get("style_codes", [])
    if not all(re.fullmatch("[0-9a-fA-F]{8}", code) for code in codes):
        raise InvalidInputError("style_codes must be 8 character hexadecimal codes")
    if codes and "style_type" in values:
        raise InvalidInputError("style_codes cannot be used with style_type")
    if values.get("resolution", "1024x1024") not in _V3_SIZES:
        raise InvalidInputError(f"Invalid resolution: {values['resolution']}")
    return _read(rules, values, f"ideogram-v3 {speed}", values.get("resolution"))


def _read(rules: Rules, values: Mapping[str, Any], model: str, resolution: str | None) -> Inputs:
    unknown = sorted(set(values) - rules.fields)
    if unknown:
        raise InvalidInputError(f"Unknown field: {unknown[0]}")
    prompt = values.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise InvalidInputError("prompt is required")
    if resolution is not None and "aspect_ratio" in values:
        raise InvalidInputError("Only one of resolution and aspect_ratio may be given")
    ratios = tuple(rules.ratio_prefix + ratio for ratio in rules.ratios)
    ratio = _word(values, "aspect_ratio", ratios, ratios[0]).removeprefix(rules.ratio_prefix)
    palette = values.get("color_palette")
    if isinstance(palette, dict) and palette.get("name", "EMBER") not in _PALETTES:
        raise InvalidInputError(f"Invalid color_palette: {palette['name']}")
    return Inputs(
        prompt=prompt,
        model=model,
        resolution=resolution or rules.ratios[ratio],
        images=_integer(values, "num_images", 1, _MAX_IMAGES) or 1,
        seed=_integer(values, "seed", 0, _MAX_SEED),
        style=_word(values, "style_type", rules.styles, "GENERAL"),
        rewrites=_word(values, rules.magic_field, _MAGIC, "AUTO") == "ON",
    )


def _word(values: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = values.get(name, default)
    if value not in allowed:
        raise InvalidInputError(f"Invalid {name}: {value}. Must be one of {', '.join(allowed)}")
    return str(value)


def _integer(values: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInputError(f"{name} must be an integer between {low} and {high}")
    return value
