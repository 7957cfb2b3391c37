"""Stability AI: Stable Image and Stable Diffusion 3.5 by multipart, SDXL by JSON."""

import re
from typing import Any
from uuid import uuid4

from tests.outside.book import Call, Rule, draw, flagged
from tests.outside.faults import Reply
from tests.outside.protocols.exchange import Exchange, RefusedError, base64_of, complain, is_count

_PIXELS = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "21:9": (1536, 640),
    "3:2": (1216, 832),
    "5:4": (1088, 896),
}
_PIXELS |= {":".join(reversed(name.split(":"))): (h, w) for name, (w, h) in _PIXELS.items()}
_FORM = {"prompt", "negative_prompt", "aspect_ratio", "seed", "output_format", "style_preset"}
_FIELDS = {
    "core": _FORM,
    "ultra": {*_FORM, "image", "strength"},
    "sd3": {*_FORM, "image", "strength", "mode", "model", "cfg_scale"},
}
_SD3 = {"sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium"}
_STYLES_TEXT = """
    3d-model analog-film anime cinematic comic-book digital-art enhance fantasy-art isometric
    line-art low-poly modeling-compound neon-punk origami photographic pixel-art tile-texture
"""
_STYLES = set(_STYLES_TEXT.split())
_XL_SIZES = {
    *((1024, 1024), (1152, 896), (896, 1152), (1216, 832), (832, 1216), (1344, 768), (768, 1344)),
    *((1536, 640), (640, 1536)),
}
_XL_FIELDS = {
    *("text_prompts", "cfg_scale", "width", "height", "sampler", "samples", "seed", "steps"),
    *("style_preset", "clip_guidance_preset"),
}
_V2 = re.compile(r"/v2beta/stable-image/generate/(core|ultra|sd3)")
_V1 = re.compile(r"/v1/generation/([\w-]+)/text-to-image")


def serve(exchange: Exchange) -> Reply:
    """Both generations of the API, with a bearer key."""
    if exchange.method == "POST" and (found := _V2.fullmatch(exchange.path)):
        return _v2(exchange, found[1])
    if exchange.method == "POST" and (found := _V1.fullmatch(exchange.path)):
        return _v1(exchange, found[1])
    raise _error(404, "not_found", "Not found")


def _error(status: int, name: str, text: str) -> RefusedError:
    return RefusedError(Reply.json({"id": uuid4().hex, "name": name, "errors": [text]}, status))


def _bad(text: str) -> RefusedError:
    return _error(400, "bad_request", text)


def _check_key(exchange: Exchange) -> None:
    if exchange.headers.get("authorization") != f"Bearer {exchange.key}":
        raise _error(401, "unauthorized", "authorization: invalid or missing header value")


def _v2(exchange: Exchange, service: str) -> Reply:
    fields = exchange.form(_bad)
    model = fields.get("model", "sd3.5-large") if service == "sd3" else service
    call, content = exchange.begin(model, fields.get("prompt"), dict(fields))
    _check_key(exchange)
    complain(call, fields, _FIELDS[service])
    accept = exchange.headers.get("accept", "image/*")
    kind = fields.get("output_format", "png")
    seed = fields.get("seed", "0")
    tests = {
        "accept": accept in {"image/*", "application/json", "*/*"},
        "prompt": 0 < len(fields.get("prompt", "")) <= 10_000,
        "aspect_ratio": fields.get("aspect_ratio", "1:1") in _PIXELS,
        "seed": seed.isdecimal() and int(seed) <= 4294967294,
        "output_format": kind in ({"png", "jpeg"} if service == "sd3" else {"png", "jpeg", "webp"}),
        "style_preset": fields.get("style_preset", "anime") in _STYLES,
        "model": service != "sd3" or model in _SD3,
        "mode": fields.get("mode", "text-to-image") == "text-to-image",
        "stability-client-user-id": len(exchange.headers.get("stability-client-user-id", ""))
        <= 256,
    }
    for name, is_right in tests.items():
        if not is_right:
            raise _bad(f"{name}: is invalid")
    if content.do == "blocked":
        raise _error(403, "content_moderation", "Your request was flagged by our system.")
    width, height = _PIXELS[fields.get("aspect_ratio", "1:1")]
    if service == "core":
        width, height = width * 3 // 2, height * 3 // 2
    images = draw(call, content, (width, height), kind, 1)
    is_kept = any(flagged(content, 1))
    finish = "CONTENT_FILTERED" if is_kept else "SUCCESS"
    if accept == "application/json":
        return _v2_json(images, content, finish, kind)
    headers = {"finish-reason": finish, "seed": "123", "x-request-id": uuid4().hex}
    return Reply(images[0] if images else b"", 200, f"image/{kind}", headers)


def _v2_json(images: list[bytes], content: Rule, finish: str, kind: str) -> Reply:
    answer: dict[str, Any] = {"image": base64_of(images[0], content) if images else ""}
    extras: dict[str, Any] = {"finish_reason": finish, "seed": 123}
    if content.do == "nulls":
        extras |= {"seed": None}
    elif content.do == "missing":
        del extras["seed"]
    reply = Reply.json({**answer, **extras})
    reply.kind = f"application/json; type=image/{kind}"
    return reply


def _v1(exchange: Exchange, engine: str) -> Reply:
    body = exchange.body(_v1_bad)
    prompts = body.get("text_prompts")
    first = prompts[0].get("text") if isinstance(prompts, list) and prompts else ""
    call, content = exchange.begin(engine, first, body)
    _check_key(exchange)
    if engine != "stable-diffusion-xl-1024-v1-0":
        message = f"The specified engine (ID {engine}) was not found."
        raise RefusedError(Reply.json({"id": "1", "name": "not_found", "message": message}, 404))
    if unknown := sorted(set(body) - _XL_FIELDS):
        raise _v1_bad(f"{unknown[0]}: unknown field")
    tests = {
        "text_prompts": 0 < len(first) <= 2000,
        "width": (body.get("width", 1024), body.get("height", 1024)) in _XL_SIZES,
        "samples": is_count(body.get("samples", 1), 1, 10),
        "steps": is_count(body.get("steps", 30), 10, 50),
        "seed": is_count(body.get("seed", 0), 0, 4294967294),
        "style_preset": body.get("style_preset", "anime") in _STYLES,
        "accept": exchange.headers.get("accept") in {None, "*/*", "application/json", "image/png"},
    }
    for name, is_right in tests.items():
        if not is_right:
            raise _v1_bad(f"{name}: is invalid")
    if content.do == "blocked":
        message = "One or more prompts contains filtered words."
        raise RefusedError(
            Reply.json({"id": "1", "name": "invalid_prompts", "message": message}, 400)
        )
    return _artifacts(call, content)


def _v1_bad(text: str) -> RefusedError:
    return RefusedError(Reply.json({"id": "1", "name": "bad_request", "message": text}, 400))


def _artifacts(call: Call, content: Rule) -> Reply:
    size = (call.body.get("width", 1024), call.body.get("height", 1024))
    images = draw(call, content, size, "png", call.body.get("samples", 1))
    artifacts: list[dict[str, Any]] = []
    for data, is_kept in zip(images, flagged(content, len(images)), strict=True):
        finish = "CONTENT_FILTERED" if is_kept else "SUCCESS"
        artifact: dict[str, Any] = {"base64": base64_of(data, content), "finishReason": finish}
        if content.do != "missing":
            artifact["seed"] = None if content.do == "nulls" else 1
        artifacts.append(artifact)
    return Reply.json({"artifacts": artifacts})
