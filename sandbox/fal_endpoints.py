"""The image endpoints of fal: inputs, defaults, picture sizes, billed units, validation errors.

Source: endpoint types of @fal-ai/client 1.10.1 and the size presets of the server toolkit, read
2026-11-21. Limits that no public type states (steps, ideogram v3 images) are estimates.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.data_uris import decode_image
from sandbox.fal_sizes import IDEOGRAM_RATIOS, KONTEXT_RATIOS, PRESETS, ULTRA_RATIOS
from sandbox.retouching import facts_of

_MAX_EDGE: Final = 14_142
_MAX_PIXELS: Final = 50_000_000  # the sandbox's own limit, for its memory
_MEGAPIXEL: Final = 1024 * 1024
_SECONDS_PER_IMAGE: Final = 2.25  # fast-sdxl is billed by compute second
_REALISTIC: Final = "b_and_w enterprise hard_flash hdr motion_blur natural_light studio_portrait"
_DIGITAL: Final = (
    "2d_art_poster 2d_art_poster_2 3d 80s engraving_color glow grain hand_drawn hand_drawn_outline"
    " handmade_3d infantile_sketch kawaii pixel_art psychedelic seamless voxel watercolor"
)
_VECTOR: Final = (
    "cartoon doodle_line_art engraving flat_2 kawaii line_art line_circuit linocut seamless"
)
_RECRAFT_STYLES: Final = (
    "any",
    "realistic_image",
    "digital_illustration",
    "vector_illustration",
    *(f"realistic_image/{name}" for name in _REALISTIC.split()),
    *(f"digital_illustration/{name}" for name in _DIGITAL.split()),
    *(f"vector_illustration/{name}" for name in _VECTOR.split()),
)

Problem = dict[str, object]


@dataclass(frozen=True, slots=True)
class Field:
    """One input; `kind` is text, image, number, integer, flag, choice or size."""

    kind: str
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint; `unit` names the rule of `x-fal-billable-units`."""

    unit: str
    default_size: str
    fields: Mapping[str, Field]
    ratios: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    format_field: str = ""
    default_format: str = "jpeg"
    full_item: bool = True
    flux_output: bool = True
    has_seed: bool = True
    required: tuple[str, ...] = ("prompt",)


@dataclass(frozen=True, slots=True)
class Inputs:
    """A valid body with its defaults filled in."""

    prompt: str
    width: int
    height: int
    images: int
    format: str
    seed: int | None
    sync: bool
    units: str
    sent: tuple[bytes, ...] = field(default=(), repr=False)


_TEXT: Final = Field("text")
_FLAG: Final = Field("flag")
_SIZE: Final = Field("size")
_SEED: Final = {"seed": Field("integer"), "sync_mode": _FLAG}
_JPEG_PNG: Final = Field("choice", ("jpeg", "png"))
_PROMPT: Final = {"prompt": _TEXT}
_FLUX_PRO: Final = {
    **_PROMPT,
    **_SEED,
    "num_images": Field("integer", low=1, high=4),
    "output_format": _JPEG_PNG,
    "safety_tolerance": Field("choice", ("1", "2", "3", "4", "5", "6")),
    "enhance_prompt": _FLAG,
}


def _diffusion(*, steps: int, max_images: int, format_field: str) -> dict[str, Field]:
    return {
        **_PROMPT,
        **_SEED,
        "negative_prompt": _TEXT,
        "image_size": _SIZE,
        "num_images": Field("integer", low=1, high=max_images),
        "num_inference_steps": Field("integer", low=1, high=steps),
        "guidance_scale": Field("number", low=0, high=20),
        "enable_safety_checker": _FLAG,
        format_field: _JPEG_PNG,
    }


_FLUX_OPEN: Final = {
    **_diffusion(steps=50, max_images=4, format_field="output_format"),
    "acceleration": Field("choice", ("none", "regular", "high")),
}
_KONTEXT: Final = Endpoint(
    "images",
    "1:1",
    {
        **_FLUX_PRO,
        "image_url": Field("image"),
        "aspect_ratio": Field("choice", tuple(KONTEXT_RATIOS)),
        "guidance_scale": Field("number", low=1, high=20),
    },
    ratios=KONTEXT_RATIOS,
    format_field="output_format",
    full_item=False,
    required=("prompt", "image_url"),
)

ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "fal-ai/flux-pro/v1.1": Endpoint(
        "megapixels_up",
        "landscape_4_3",
        {**_FLUX_PRO, "image_size": _SIZE},
        format_field="output_format",
        full_item=False,
    ),
    "fal-ai/flux-pro/v1.1-ultra": Endpoint(
        "images",
        "16:9",
        {
            **_FLUX_PRO,
            "aspect_ratio": Field("choice", tuple(ULTRA_RATIOS)),
            "raw": _FLAG,
            "image_url": _TEXT,
            "image_prompt_strength": Field("number", low=0, high=1),
        },
        ratios=ULTRA_RATIOS,
        format_field="output_format",
        full_item=False,
    ),
    "fal-ai/flux-pro/kontext": _KONTEXT,
    "fal-ai/flux-pro/kontext/max": _KONTEXT,
    "fal-ai/flux/dev": Endpoint(
        "megapixels", "landscape_4_3", _FLUX_OPEN, format_field="output_format"
    ),
    "fal-ai/flux/schnell": Endpoint(
        "megapixels_up", "landscape_4_3", _FLUX_OPEN, format_field="output_format"
    ),
    "fal-ai/recraft/v3/text-to-image": Endpoint(
        "recraft",
        "square_hd",
        {
            "prompt": Field("text", high=1000),
            "image_size": _SIZE,
            "style": Field("choice", _RECRAFT_STYLES),
            "style_id": _TEXT,
            "enable_safety_checker": _FLAG,
        },
        default_format="webp",
        flux_output=False,
        has_seed=False,
    ),
    "fal-ai/ideogram/v2": Endpoint(
        "images",
        "1:1",
        {
            **_PROMPT,
            **_SEED,
            "aspect_ratio": Field("choice", tuple(IDEOGRAM_RATIOS)),
            "expand_prompt": _FLAG,
            "style": Field(
                "choice", ("auto", "general", "realistic", "design", "render_3D", "anime")
            ),
            "negative_prompt": _TEXT,
        },
        ratios=IDEOGRAM_RATIOS,
        default_format="png",
        flux_output=False,
    ),
    "fal-ai/ideogram/v3": Endpoint(
        "speed",
        "square_hd",
        {
            **_PROMPT,
            **_SEED,
            "image_size": _SIZE,
            "num_images": Field("integer", low=1, high=8),
            "rendering_speed": Field("choice", ("TURBO", "BALANCED", "QUALITY")),
            "style": Field("choice", ("AUTO", "GENERAL", "REALISTIC", "DESIGN")),
            "negative_prompt": _TEXT,
            "expand_prompt": _FLAG,
        },
        default_format="png",
        flux_output=False,
    ),
    "fal-ai/stable-diffusion-v35-large": Endpoint(
        "megapixels_up",
        "landscape_4_3",
        _diffusion(steps=50, max_images=4, format_field="output_format"),
        format_field="output_format",
    ),
    "fal-ai/fast-sdxl": Endpoint(
        "seconds",
        "square_hd",
        {
            **_diffusion(steps=65, max_images=8, format_field="format"),
            "safety_checker_version": Field("choice", ("v1", "v2")),
            "expand_prompt": _FLAG,
            "request_id": _TEXT,
        },
        format_field="format",
    ),
}


def problem(type_: str, loc: list[str], message: str, **more: object) -> Problem:
    """Return one item of a `detail` list."""
    url = f"https://docs.fal.ai/errors#{type_}"
    return {"loc": ["body", *loc], "msg": message, "type": type_, "url": url, "ctx": {}, **more}


def validate(endpoint: Endpoint, body: Mapping[str, Any]) -> list[Problem]:
    """Return every problem of a body, pydantic style; unknown keys are ignored, as fal does."""
    problems = [
        problem("missing", [name], "Field required", input=dict(body))
        for name in endpoint.required
        if body.get(name) is None
    ]
    for name, rule in endpoint.fields.items():
        value = body.get(name)
        if value is not None:
            problems += _CHECKS[rule.kind](name, rule, value)
    if not problems:
        width, height = _dimensions(endpoint, body)
        if width * height > _MAX_PIXELS:
            message = f"Image dimensions are too large. Maximum number of pixels is {_MAX_PIXELS}."
            problems.append(problem("image_too_large", ["image_size"], message))
    return problems


def read_inputs(endpoint: Endpoint, body: Mapping[str, Any]) -> Inputs:
    """Fill in the defaults of a body that `validate` found sound."""
    width, height = _dimensions(endpoint, body)
    images = int(body.get("num_images") or 1) if "num_images" in endpoint.fields else 1
    vector = endpoint.unit == "recraft" and str(body.get("style")).startswith("vector")
    image_format = str(body.get(endpoint.format_field) or endpoint.default_format)
    seed = body.get("seed") if endpoint.has_seed else None
    return Inputs(
        prompt=body["prompt"],
        width=width,
        height=height,
        images=images,
        format="svg" if vector else image_format,
        seed=None if seed is None else int(seed),
        sync=bool(body.get("sync_mode")) and "sync_mode" in endpoint.fields,
        units=f"{_units(endpoint, body, width * height, vector=vector) * images:g}",
        sent=tuple(
            decode_image(body[name]) or b""
            for name, rule in endpoint.fields.items()
            if rule.kind == "image" and body.get(name)
        ),
    )


def _dimensions(endpoint: Endpoint, body: Mapping[str, Any]) -> tuple[int, int]:
    if endpoint.ratios:
        return endpoint.ratios[body.get("aspect_ratio") or endpoint.default_size]
    size = body.get("image_size")
    size = endpoint.default_size if size is None else size
    if isinstance(size, str):
        return PRESETS[size]
    return int(size.get("width", 512)), int(size.get("height", 512))


def _units(endpoint: Endpoint, body: Mapping[str, Any], pixels: int, *, vector: bool) -> float:
    match endpoint.unit:
        case "megapixels_up":
            return math.ceil(pixels / _MEGAPIXEL)
        case "megapixels":
            return pixels / _MEGAPIXEL
        case "recraft":
            return 2 if vector else 1
        case "speed":
            return {"TURBO": 1, "QUALITY": 3}.get(body.get("rendering_speed") or "", 2)
        case "seconds":
            return _SECONDS_PER_IMAGE
        case _:
            return 1


def _check_text(name: str, rule: Field, value: object) -> list[Problem]:
    if not isinstance(value, str):
        return [problem("string_type", [name], "Input should be a valid string", input=value)]
    if len(value) > rule.high:
        message = f"String should have at most {rule.high:g} characters"
        ctx = {"max_length": rule.high}
        return [problem("string_too_long", [name], message, ctx=ctx, input=value)]
    return []


def _check_image(name: str, rule: Field, value: object) -> list[Problem]:
    """Only `data:` URIs can be read: addresses are not fetched here."""
    if not isinstance(value, str):
        return _check_text(name, rule, value)
    data = decode_image(value) if value.startswith("data:") else None
    if data is None:
        message = "Failed to download the file. Please check if the URL is accessible."
        return [problem("file_download_error", [name], message, input=value[:100])]
    if facts_of(data) is None:
        message = "Failed to load the image. Please ensure the image file is not corrupted."
        return [problem("image_load_error", [name], message, input=value[:100])]
    return []


def _check_flag(name: str, _rule: Field, value: object) -> list[Problem]:
    if isinstance(value, bool):
        return []
    return [problem("bool_type", [name], "Input should be a valid boolean", input=value)]


def _check_number(name: str, rule: Field, value: object) -> list[Problem]:
    kind = "integer" if rule.kind == "integer" else "number"
    code = "int" if rule.kind == "integer" else "float"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        message = f"Input should be a valid {kind}"
        return [problem(f"{code}_type", [name], message, input=value)]
    try:
        number = float(int(value)) if rule.kind == "integer" else float(value)
    except ValueError:
        message = f"Input should be a valid {kind}, unable to parse string as {kind}"
        return [problem(f"{code}_parsing", [name], message, input=value)]
    if number < rule.low:
        message = f"Input should be greater than or equal to {rule.low:g}"
        ctx = {"ge": rule.low}
        return [problem("greater_than_equal", [name], message, ctx=ctx, input=value)]
    if number > rule.high:
        message = f"Input should be less than or equal to {rule.high:g}"
        ctx = {"le": rule.high}
        return [problem("less_than_equal", [name], message, ctx=ctx, input=value)]
    return []


def _check_choice(name: str, rule: Field, value: object) -> list[Problem]:
    if value in rule.choices:
        return []
    quoted = [f"'{choice}'" for choice in rule.choices]
    expected = f"{', '.join(quoted[:-1])} or {quoted[-1]}"
    message = f"Input should be {expected}"
    return [problem("literal_error", [name], message, ctx={"expected": expected}, input=value)]


def _check_size(name: str, _rule: Field, value: object) -> list[Problem]:
    if not isinstance(value, dict):
        return _check_choice(name, Field("choice", tuple(PRESETS)), value)
    problems: list[Problem] = []
    for edge in ("width", "height"):
        number = value.get(edge, 512)
        loc = [name, edge]
        if not isinstance(number, int) or isinstance(number, bool):
            message = "Input should be a valid integer"
            problems.append(problem("int_type", loc, message, input=number))
        elif number <= 0:
            message = "Input should be greater than 0"
            problems.append(problem("greater_than", loc, message, ctx={"gt": 0}, input=number))
        elif number > _MAX_EDGE:
            message = f"Input should be less than or equal to {_MAX_EDGE}"
            ctx = {"le": _MAX_EDGE}
            problems.append(problem("less_than_equal", loc, message, ctx=ctx, input=number))
    return problems


_CHECKS: Final = {
    "text": _check_text,
    "image": _check_image,
    "flag": _check_flag,
    "number": _check_number,
    "integer": _check_number,
    "choice": _check_choice,
    "size": _check_size,
}
