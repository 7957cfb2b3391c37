"""Ideogram's older ``/generate`` by JSON and Ideogram 3 by multipart."""

from datetime import UTC, datetime
from typing import Any

from tests.outside.book import Call, Rule, draw, flagged
from tests.outside.faults import Reply
from tests.outside.protocols.exchange import Exchange, RefusedError, complain, is_count

_LEGACY_FIELDS = {
    *("prompt", "model", "aspect_ratio", "resolution", "magic_prompt_option", "seed"),
    *("style_type", "negative_prompt", "num_images", "color_palette"),
}
_V3_FIELDS = {
    *("prompt", "seed", "resolution", "aspect_ratio", "rendering_speed", "magic_prompt"),
    *("negative_prompt", "num_images", "color_palette", "style_codes", "style_type"),
    "style_preset",
}
_V3_SIZES_TEXT = """
    512x1536 576x1408 576x1472 576x1536 640x1344 640x1408 640x1472 640x1536 704x1152 704x1216
    704x1280 704x1344 704x1408 704x1472 736x1312 768x1088 768x1216 768x1280 768x1344 800x1280
    832x960 832x1024 832x1088 832x1152 832x1216 832x1248 864x1152 896x960 896x1024 896x1088
    896x1120 896x1152 960x832 960x896 960x1024 960x1088 1024x832 1024x896 1024x960 1024x1024
    1088x768 1088x832 1088x896 1088x960 1120x896 1152x704 1152x832 1152x864 1152x896 1216x704
    1216x768 1216x832 1248x832 1280x704 1280x768 1280x800 1312x736 1344x640 1344x704 1344x768
    1408x576 1408x640 1408x704 1472x576 1472x640 1472x704 1536x512 1536x576 1536x640
"""
_V3_SIZES = set(_V3_SIZES_TEXT.split())
_V2_SIZES_TEXT = """
    1024x640 640x1024 1024x768 768x1024 1152x768 768x1152 1232x768 768x1232 1280x720 720x1280
"""
_V2_SIZES = (_V3_SIZES - {"800x1280"}) | set(_V2_SIZES_TEXT.split())
PIXELS = {
    "1x1": (1024, 1024),
    "1x3": (512, 1536),
    "1x2": (704, 1408),
    "9x16": (736, 1312),
    "10x16": (800, 1280),
    "2x3": (832, 1248),
    "3x4": (864, 1152),
    "4x5": (896, 1120),
}
PIXELS |= {"x".join(reversed(name.split("x"))): (h, w) for name, (w, h) in PIXELS.items()}
_LEGACY_RATIOS = {"10x16", "16x10", "9x16", "16x9", "3x2", "2x3", "4x3", "3x4", "1x1", "1x3", "3x1"}
_STYLES = {"AUTO", "GENERAL", "REALISTIC", "DESIGN", "FICTION"}


def serve(exchange: Exchange) -> Reply:
    """``/generate`` or ``/v1/ideogram-v3/generate`` with ``Api-Key``."""
    if exchange.method == "POST" and exchange.path == "/generate":
        return _legacy(exchange)
    if exchange.method == "POST" and exchange.path == "/v1/ideogram-v3/generate":
        return _v3(exchange)
    raise _error(404, "Not found")


def _error(status: int, text: str) -> RefusedError:
    return RefusedError(Reply.json({"error": text}, status))


def _invalid(text: str) -> RefusedError:
    return _error(400, text)


def _check(exchange: Exchange, fields: dict[str, Any], tests: dict[str, bool]) -> None:
    if exchange.headers.get("api-key") != exchange.key:
        raise _error(401, "Unauthorized")
    tests["prompt"] = bool(fields.get("prompt"))
    tests["resolution and aspect_ratio"] = not {"resolution", "aspect_ratio"} <= set(fields)
    for name, is_right in tests.items():
        if not is_right:
            raise _invalid(f"Invalid {name}: {fields.get(name)}")


def _legacy(exchange: Exchange) -> Reply:
    sent = exchange.body(_invalid)
    fields = sent.get("image_request", {})
    model = fields.get("model", "V_2")
    call, content = exchange.begin(model, fields.get("prompt"), fields)
    complain(call, sent, {"image_request"})
    complain(call, fields, _LEGACY_FIELDS)
    ratio = str(fields.get("aspect_ratio", "ASPECT_1_1")).removeprefix("ASPECT_").replace("_", "x")
    named = str(fields.get("resolution", "")).removeprefix("RESOLUTION_").replace("_", "x")
    styles = {None, *_STYLES, "RENDER_3D", "ANIME"}
    _check(
        exchange,
        fields,
        {
            "model": model in {"V_1", "V_1_TURBO", "V_2", "V_2_TURBO", "V_2A", "V_2A_TURBO"},
            "aspect_ratio": ratio in _LEGACY_RATIOS,
            "resolution": not named or (named in _V2_SIZES and model in {"V_2", "V_2_TURBO"}),
            "magic_prompt_option": fields.get("magic_prompt_option", "AUTO")
            in {"AUTO", "ON", "OFF"},
            "seed": is_count(fields.get("seed", 0), 0, 2147483647),
            "style_type": fields.get("style_type") in styles,
            "num_images": is_count(fields.get("num_images", 1), 1, 8),
        },
    )
    count = fields.get("num_images", 1)
    return _answer(exchange, call, content, _size(named or ratio, is_ratio=not named), count)


def _size(text: str, *, is_ratio: bool) -> tuple[int, int]:
    if is_ratio:
        return PIXELS[text]
    width, height = map(int, text.split("x"))
    return (width, height)


def _v3(exchange: Exchange) -> Reply:
    fields = exchange.form(_invalid)
    call, content = exchange.begin("ideogram-v3", fields.get("prompt"), dict(fields))
    complain(call, fields, _V3_FIELDS)
    count = fields.get("num_images", "1")
    seed = fields.get("seed", "0")
    named, ratio = fields.get("resolution", ""), fields.get("aspect_ratio", "1x1")
    speeds = {"FLASH", "TURBO", "DEFAULT", "QUALITY"}
    _check(
        exchange,
        fields,
        {
            "resolution": not named or named in _V3_SIZES,
            "aspect_ratio": ratio in PIXELS,
            "rendering_speed": fields.get("rendering_speed", "DEFAULT") in speeds,
            "magic_prompt": fields.get("magic_prompt", "AUTO") in {"AUTO", "ON", "OFF"},
            "style_type": fields.get("style_type", "AUTO") in _STYLES,
            "num_images": count.isdecimal() and 1 <= int(count) <= 8,
            "seed": seed.isdecimal() and int(seed) <= 2147483647,
        },
    )
    edges = _size(named or ratio, is_ratio=not named)
    return _answer(exchange, call, content, edges, int(count))


def _answer(
    exchange: Exchange, call: Call, content: Rule, size: tuple[int, int], count: int
) -> Reply:
    images = draw(call, content, size, "png", count)
    flags = flagged(content, len(images))
    items: list[dict[str, Any]] = []
    for data, is_kept in zip(images, flags, strict=True):
        item: dict[str, Any] = {
            "url": None if is_kept else exchange.file_url(data, "png", content),
            "prompt": call.prompt,
            "resolution": f"{size[0]}x{size[1]}",
            "is_image_safe": not is_kept,
            "seed": 12345,
            "style_type": "GENERAL",
        }
        if content.do == "missing":
            item = {"url": item["url"], "is_image_safe": True}
        elif content.do == "nulls":
            item = dict.fromkeys(item) | {"url": item["url"], "is_image_safe": True}
        items.append(item)
    return Reply.json({"created": datetime.now(UTC).isoformat(), "data": items})  # noqa: TID251
