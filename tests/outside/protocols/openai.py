"""OpenAI's Images API, and Azure OpenAI's deployments of it."""

import re
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.outside.book import Call, Rule, draw, flagged
from tests.outside.faults import Reply
from tests.outside.protocols.exchange import Exchange, RefusedError, base64_of, is_count

_THREE = {"1024x1024", "1536x1024", "1024x1536", "auto"}
_LEVELS = {"low", "medium", "high", "auto"}
_GPT = {
    *("prompt", "model", "n", "size", "quality", "background", "moderation", "output_format"),
    *("output_compression", "stream", "partial_images", "user", "safety_identifier"),
}
_SMALL = {"prompt", "model", "n", "size", "quality", "response_format", "user"}


@dataclass(frozen=True)
class _Model:
    fields: frozenset[str]
    qualities: frozenset[str]
    sizes: frozenset[str]
    prompt_limit: int = 32_000
    n_max: int = 10
    is_free: bool = False


def _gpt(qualities: set[str] = _LEVELS, *, is_free: bool = False) -> _Model:
    return _Model(frozenset(_GPT), frozenset(qualities), frozenset(_THREE), is_free=is_free)


_NEWEST = {*_LEVELS, "xhigh", "max"}
_MODELS = {
    "gpt-image-1": _gpt(),
    "gpt-image-1-mini": _gpt(),
    "gpt-image-1.5": _gpt(),
    "gpt-image-2": _gpt(is_free=True),
    "gpt-image-2-2026-04-21": _gpt(is_free=True),
    "gpt-image-2.5-flare": _gpt(_NEWEST, is_free=True),
    "gpt-image-2.5-sunburst": _gpt(_NEWEST, is_free=True),
    "dall-e-3": _Model(
        frozenset({*_SMALL, "style"}),
        frozenset({"standard", "hd", "auto"}),
        frozenset({"1024x1024", "1792x1024", "1024x1792"}),
        prompt_limit=4_000,
        n_max=1,
    ),
    "dall-e-2": _Model(
        frozenset(_SMALL),
        frozenset({"standard"}),
        frozenset({"256x256", "512x512", "1024x1024"}),
        prompt_limit=1_000,
    ),
}
_DEPLOYMENT = re.compile(r"/openai/deployments/([\w.-]+)/images/generations")


def serve(exchange: Exchange) -> Reply:
    """``POST {base}/images/generations`` with a bearer key."""
    if (exchange.method, exchange.path) != ("POST", "/v1/images/generations"):
        raise _error(404, f"Invalid URL ({exchange.method} {exchange.path})", None)
    body = exchange.body(lambda text: _error(400, text, None))
    name = str(body.get("model"))
    call, content = exchange.begin(name, body.get("prompt"), body)
    if exchange.headers.get("authorization") != f"Bearer {exchange.key}":
        raise _error(401, "Incorrect API key provided.", "invalid_api_key")
    if name not in _MODELS:
        raise _error(400, f"The model '{name}' does not exist.", "invalid_value", "model")
    _check(body, _MODELS[name], "")
    return _answer(exchange, call, content)


def serve_azure(exchange: Exchange) -> Reply:
    """``POST {base}/openai/deployments/{deployment}/images/generations?api-version=``."""
    found = _DEPLOYMENT.fullmatch(exchange.path)
    if not found or exchange.method != "POST" or not exchange.query.get("api-version"):
        raise _azure_error(404, "404", "Resource not found")
    body = exchange.body(lambda text: _error(400, text, None))
    call, content = exchange.begin(found[1], body.get("prompt"), body)
    if exchange.headers.get("api-key") != exchange.key:
        raise _azure_error(401, "401", "Access denied due to invalid subscription key.")
    if found[1] not in _MODELS:
        message = "The API deployment for this resource does not exist."
        raise _azure_error(404, "DeploymentNotFound", message)
    _check(body, _MODELS[found[1]], "webp")
    return _answer(exchange, call, content)


def _error(status: int, message: str, code: str | None, param: str | None = None) -> RefusedError:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return RefusedError(Reply.json({"error": error}, status, x_request_id=f"req_{uuid4().hex}"))


def _azure_error(status: int, code: str, message: str) -> RefusedError:
    return RefusedError(Reply.json({"error": {"code": code, "message": message}}, status))


def _check(body: dict[str, Any], model: _Model, no_format: str) -> None:
    unknown = sorted(set(body) - model.fields)
    if unknown:
        message = f"Unknown parameter: '{unknown[0]}'."
        raise _error(400, message, "unknown_parameter", unknown[0])
    prompt = body.get("prompt")
    tests = {
        "prompt": isinstance(prompt, str) and 0 < len(prompt) <= model.prompt_limit,
        "n": is_count(body.get("n", 1), 1, model.n_max),
        "size": _is_size(body.get("size", "1024x1024"), model),
        "quality": body.get("quality") in {None, *model.qualities},
        "style": body.get("style") in {None, "vivid", "natural"},
        "response_format": body.get("response_format") in {None, "url", "b64_json"},
        "background": body.get("background") in {None, "transparent", "opaque", "auto"},
        "moderation": body.get("moderation") in {None, "auto", "low"},
        "output_format": body.get("output_format") in {None, "png", "jpeg", "webp"} - {no_format},
        "output_compression": _is_compression(body),
        "user": isinstance(body.get("user", ""), str),
        "stream": body.get("stream") in {None, False},
    }
    if body.get("background") == "transparent":
        tests["background"] = body.get("output_format", "png") != "jpeg"
    for name, is_right in tests.items():
        if not is_right:
            raise _error(400, f"Invalid value: '{body.get(name)}'.", "invalid_value", name)


def _is_compression(body: dict[str, Any]) -> bool:
    value = body.get("output_compression")
    if value is None:
        return True
    return is_count(value, 0, 100) and body.get("output_format") in {"jpeg", "webp"}


def _is_size(size: object, model: _Model) -> bool:
    if size in model.sizes:
        return True
    found = re.fullmatch(r"(\d+)x(\d+)", str(size))
    if not model.is_free or not found:
        return False
    width, height = int(found[1]), int(found[2])
    return (
        not (width % 16 or height % 16)
        and max(width, height) <= min(3840, 3 * min(width, height))
        and 655_360 <= width * height <= 8_294_400
    )


def _answer(exchange: Exchange, call: Call, content: Rule) -> Reply:
    body = call.body
    is_azure = exchange.provider == "azure_openai"
    if content.do == "moderated" and not is_azure:
        raise _moderated(is_dall_e=call.model.startswith("dall-e"))
    if content.do == "moderated" and content.number < 0:
        error = {"code": "contentFilter", "message": "Your task failed as a result of our safety."}
        call.status = 200
        return Reply.json({"created": int(time.time()), "error": error})
    size = str(body.get("size", "1024x1024")).replace("auto", "1024x1024")
    width, height = map(int, size.split("x"))
    kind = str(body.get("output_format", "png"))
    images = draw(call, content, (width, height), kind, int(body.get("n", 1)))
    wants_url = "response_format" in _MODELS[call.model].fields
    wants_url = wants_url and body.get("response_format", "url") == "url"
    flags = flagged(content, len(images))
    items: list[dict[str, Any]] = []
    for data, is_kept in zip(images, flags, strict=True):
        item: dict[str, Any] = {"b64_json": base64_of(data, content)}
        if wants_url or content.do == "as_url":
            item = {"url": exchange.file_url(data, kind, content)}
        if call.model == "dall-e-3" and content.do != "missing":
            item["revised_prompt"] = f"Revised: {call.prompt}"
        if is_azure:
            item = _filtered(item, is_kept=is_kept)
        items.append(item)
    answer: dict[str, Any] = {"created": int(time.time()), "data": items}
    if not call.model.startswith("dall-e"):
        answer |= _details(body, size, kind)
    return Reply.json(_thinned(answer, content), 200, x_request_id=f"req_{uuid4().hex}")


def _moderated(*, is_dall_e: bool) -> RefusedError:
    if is_dall_e:
        message = "Your request was rejected as a result of our safety system."
        return _error(400, message, "content_policy_violation")
    message = "Your request was rejected by the safety system. safety_violations=[violence]."
    error = {
        "message": message,
        "type": "image_generation_user_error",
        "param": None,
        "code": "moderation_blocked",
        "moderation_details": {"moderation_stage": "input", "categories": ["violence"]},
    }
    return RefusedError(Reply.json({"error": error}, 400))


def _filtered(item: dict[str, Any], *, is_kept: bool) -> dict[str, Any]:
    severity = {"filtered": is_kept, "severity": "high" if is_kept else "safe"}
    safe = {"filtered": False, "severity": "safe"}
    results = {"sexual": severity, "violence": safe, "hate": safe, "self_harm": safe}
    checks = {"jailbreak": {"filtered": False, "detected": False}}
    shown = {} if is_kept else item
    return {**shown, "content_filter_results": results, "prompt_filter_results": checks}


def _details(body: dict[str, Any], size: str, kind: str) -> dict[str, Any]:
    image_tokens = 1756 * int(body.get("n", 1))
    usage = {
        "input_tokens": 40,
        "input_tokens_details": {"text_tokens": 40, "image_tokens": 0},
        "output_tokens": image_tokens,
        "output_tokens_details": {"image_tokens": image_tokens, "text_tokens": 0},
        "total_tokens": image_tokens + 40,
    }
    background = str(body.get("background", "opaque")).replace("auto", "opaque")
    quality = str(body.get("quality", "medium")).replace("auto", "medium")
    seen = {"background": background, "quality": quality, "size": size, "output_format": kind}
    return {**seen, "usage": usage}


def _thinned(answer: dict[str, Any], content: Rule) -> dict[str, Any]:
    """Leave out, or set to null, everything but the images."""
    if content.do not in {"missing", "nulls"}:
        return answer
    if content.do == "missing":
        return {"data": answer["data"]}
    items = [
        {"url": None, "b64_json": None, "revised_prompt": None} | one for one in answer["data"]
    ]
    return dict.fromkeys(answer) | {"data": items}
