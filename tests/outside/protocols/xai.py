"""xAI's image generation."""

import time
from typing import Any

from tests.outside.book import Call, Rule, draw, flagged
from tests.outside.faults import Reply
from tests.outside.protocols.exchange import Exchange, RefusedError, base64_of, is_count

_COMMON = {"prompt", "model", "n", "response_format", "user"}
_SIZED = {*_COMMON, "aspect_ratio", "resolution"}
_FIELDS = {
    "grok-2-image": _COMMON,
    "grok-imagine-image": _SIZED,
    "grok-imagine-image-quality": _SIZED,
    "grok-imagine-image-pro": _SIZED,
    "grok-imagine-image-2.0": {*_SIZED, "quality"},
}
_TICKS = {
    "grok-2-image": 700_000_000,
    "grok-imagine-image": 200_000_000,
    "grok-imagine-image-quality": 500_000_000,
    "grok-imagine-image-pro": 500_000_000,
    "grok-imagine-image-2.0": 600_000_000,
}
_PIXELS = {
    "1:1": (1024, 1024),
    "3:4": (896, 1280),
    "9:16": (768, 1408),
    "2:3": (864, 1296),
    "9:19.5": (576, 1248),
    "9:20": (576, 1280),
    "1:2": (704, 1408),
}
_PIXELS |= {":".join(reversed(name.split(":"))): (h, w) for name, (w, h) in _PIXELS.items()}


def serve(exchange: Exchange) -> Reply:
    """``POST {base}/images/generations`` with a bearer key."""
    if (exchange.method, exchange.path) != ("POST", "/v1/images/generations"):
        raise _error(404, "not-found", "Not found")
    body = exchange.body(lambda text: _error(422, "invalid", text))
    model = str(body.get("model"))
    call, content = exchange.begin(model, body.get("prompt"), body)
    if exchange.headers.get("authorization") != f"Bearer {exchange.key}":
        raise _error(401, "unauthorized", "Incorrect API key provided")
    if model not in _FIELDS:
        raise _error(404, "not-found", f"The model {model} does not exist")
    for name in sorted(set(body) - _FIELDS[model]):
        raise _error(400, "400", f"Argument not supported: {name}")
    _check(body)
    return _answer(exchange, call, content)


def _error(status: int, code: str, text: str) -> RefusedError:
    return RefusedError(Reply.json({"code": code, "error": text}, status))


def _check(body: dict[str, Any]) -> None:
    tests = {
        "prompt": isinstance(body.get("prompt"), str) and body.get("prompt"),
        "n": is_count(body.get("n", 1), 1, 10),
        "response_format": body.get("response_format", "url") in {"url", "b64_json"},
        "aspect_ratio": body.get("aspect_ratio", "auto") in {"auto", *_PIXELS},
        "resolution": body.get("resolution", "1k") in {"1k", "2k"},
        "quality": body.get("quality", "medium") in {"low", "medium", "high"},
    }
    for name, is_right in tests.items():
        if not is_right:
            raise _error(422, "invalid", f"Failed to deserialize: {name}: {body.get(name)}")


def _size(body: dict[str, Any]) -> tuple[int, int]:
    if body["model"] == "grok-2-image":
        return (1024, 768)
    width, height = _PIXELS[str(body.get("aspect_ratio", "1:1")).replace("auto", "1:1")]
    if body.get("resolution") != "2k":
        return (width, height)
    factor = min(2.0, 2048 / max(width, height))
    return (round(width * factor), round(height * factor))


def _answer(exchange: Exchange, call: Call, content: Rule) -> Reply:
    images = draw(call, content, _size(call.body), "jpeg", int(call.body.get("n", 1)))
    flags = flagged(content, len(images))
    wants_url = call.body.get("response_format", "url") == "url" or content.do == "as_url"
    items: list[dict[str, Any]] = []
    for data, is_kept in zip(images, flags, strict=True):
        name = "url" if wants_url else "b64_json"
        value = exchange.file_url(data, "jpeg", content) if wants_url else base64_of(data, content)
        extras = {"mime_type": "image/jpeg", "revised_prompt": "", "respect_moderation": True}
        if content.do == "missing":
            extras = {}
        elif content.do == "nulls":
            extras = dict.fromkeys(extras)
        item: dict[str, Any] = {name: value, **extras}
        if is_kept:
            item |= {name: "", "respect_moderation": False}
        items.append(item)
    answer: dict[str, Any] = {"created": int(time.time()), "data": items}
    if content.do != "missing":
        answer["usage"] = {"cost_in_usd_ticks": _TICKS[call.model] * len(images)}
    return Reply.json(answer)
