"""Google's Gemini API: Imagen's ``:predict`` and Gemini's ``:generateContent``."""

import re
from typing import Any

from tests.outside.book import Call, Rule, draw, flagged
from tests.outside.faults import Reply
from tests.outside.protocols.exchange import Exchange, RefusedError, base64_of, is_count

_PATH = re.compile(r"/v1(?:beta|alpha)?/models/([\w.-]+):(predict|generateContent)")
_IMAGEN = {
    "imagen-4.0-generate-001": {"1K", "2K"},
    "imagen-4.0-fast-generate-001": {"1K"},
    "imagen-4.0-ultra-generate-001": {"1K", "2K"},
}
_IMAGEN_PIXELS = {
    "1:1": (1024, 1024),
    "16:9": (1408, 768),
    "9:16": (768, 1408),
    "4:3": (1280, 896),
    "3:4": (896, 1280),
}
_PARAMETERS = {
    *("sampleCount", "aspectRatio", "sampleImageSize", "imageSize", "personGeneration"),
    *("safetySetting", "includeRaiReason", "includeSafetyAttributes", "language", "guidanceScale"),
    "outputOptions",
}
_FLASH_PIXELS = {
    "1:1": (1024, 1024),
    "3:2": (1248, 832),
    "4:3": (1184, 864),
    "5:4": (1152, 896),
    "16:9": (1344, 768),
    "21:9": (1536, 672),
}
_PRO_PIXELS = {
    "1:1": (1024, 1024),
    "3:2": (1264, 848),
    "4:3": (1200, 896),
    "5:4": (1152, 928),
    "16:9": (1376, 768),
    "21:9": (1584, 672),
}
# Image tokens of 1K and 2K, and the sizes a model knows.
_GEMINI: dict[str, tuple[dict[str, tuple[int, int]], int, set[str]]] = {
    "gemini-2.5-flash-image": (_FLASH_PIXELS, 1290, set()),
    "gemini-3.1-flash-image": (_PRO_PIXELS, 1120, {"1K", "2K", "4K"}),
    "gemini-3-pro-image": (_PRO_PIXELS, 1120, {"1K", "2K", "4K"}),
}


def serve(exchange: Exchange) -> Reply:
    """``POST {base}/v1beta/models/{model}:{method}`` with ``x-goog-api-key``."""
    found = _PATH.fullmatch(exchange.path)
    if not found or exchange.method != "POST":
        raise _error(404, "NOT_FOUND", "Not found")
    body = exchange.body(lambda text: _error(400, "INVALID_ARGUMENT", text))
    model, method = found.groups()
    call, content = exchange.begin(model, _prompt(body), body)
    if exchange.headers.get("x-goog-api-key", exchange.query.get("key")) != exchange.key:
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo"}]
        details[0]["reason"] = "API_KEY_INVALID"
        raise _error(400, "INVALID_ARGUMENT", "API key not valid.", details)
    if model not in (_IMAGEN if method == "predict" else _GEMINI):
        message = f"models/{model} is not found for API version v1beta."
        raise _error(404, "NOT_FOUND", message)
    if method == "predict":
        return _predict(call, content)
    return _generate_content(call, content)


def _error(status: int, name: str, message: str, details: list[Any] | None = None) -> RefusedError:
    error = {"code": status, "message": message, "status": name, "details": details or []}
    return RefusedError(Reply.json({"error": error}, status))


def _wrong(message: str) -> RefusedError:
    return _error(400, "INVALID_ARGUMENT", message)


def _prompt(body: dict[str, Any]) -> str:
    """Return the prompt of either kind of body, as well as it can be found."""
    if isinstance(body.get("instances"), list) and body["instances"]:
        return str(body["instances"][0].get("prompt", ""))
    parts = [part for one in body.get("contents", []) for part in one.get("parts", [])]
    return "".join(str(part.get("text", "")) for part in parts)


def _check_names(found: dict[str, Any], known: set[str], place: str) -> None:
    for name in sorted(set(found) - known):
        message = f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}'"
        raise _wrong(message)


def _predict(call: Call, content: Rule) -> Reply:
    _check_names(call.body, {"instances", "parameters"}, "")
    instances = call.body["instances"]
    if len(instances) != 1 or set(instances[0]) != {"prompt"} or not call.prompt:
        raise _wrong("Exactly one instance with a prompt is needed")
    parameters = call.body.get("parameters", {})
    _check_names(parameters, _PARAMETERS, "parameters")
    size = parameters.get("sampleImageSize", parameters.get("imageSize", "1K"))
    output = parameters.get("outputOptions", {})
    _check_names(output, {"mimeType", "compressionQuality"}, "outputOptions")
    kind = str(output.get("mimeType", "image/png")).removeprefix("image/")
    safety = str(parameters.get("safetySetting", "block_low_and_above")).lower()
    people = str(parameters.get("personGeneration", "allow_adult")).lower()
    tests = {
        "sampleCount": is_count(parameters.get("sampleCount", 4), 1, 4),
        "aspectRatio": parameters.get("aspectRatio", "1:1") in _IMAGEN_PIXELS,
        "sampleImageSize": size in _IMAGEN[call.model],
        "outputOptions.mimeType": kind in {"png", "jpeg"},
        "compressionQuality": is_count(output.get("compressionQuality", 75), 0, 100),
        "safetySetting": safety == "block_low_and_above",
        "personGeneration": people in {"dont_allow", "allow_adult", "allow_all"},
    }
    for name, is_right in tests.items():
        if not is_right:
            raise _wrong(f"{name} has an invalid value")
    width, height = _IMAGEN_PIXELS[parameters.get("aspectRatio", "1:1")]
    factor = 2 if size == "2K" else 1
    edges = (width * factor, height * factor)
    images = draw(call, content, edges, kind, int(parameters.get("sampleCount", 4)))
    return _predictions(call, content, images, kind)


def _predictions(call: Call, content: Rule, images: list[bytes], kind: str) -> Reply:
    """Filtered images are missing, or replaced by their reason; they are not charged."""
    flags = flagged(content, len(images))
    call.paid -= sum(flags)
    items: list[dict[str, Any]] = []
    for data, is_kept in zip(images, flags, strict=True):
        if not is_kept:
            item: dict[str, Any] = {
                "mimeType": f"image/{kind}",
                "bytesBase64Encoded": base64_of(data, content),
            }
            if content.do == "nulls":
                item |= {"prompt": None, "raiFilteredReason": None, "safetyAttributes": None}
            items.append(item)
        elif call.body.get("parameters", {}).get("includeRaiReason"):
            reason = "Unable to show generated images. Support codes: 39322892"
            items.append({"raiFilteredReason": reason})
    if content.do == "nulls":
        return Reply.json({"predictions": items, "deployedModelId": None})
    return Reply.json({"predictions": items} if items else {})


def _generate_content(call: Call, content: Rule) -> Reply:
    _check_names(call.body, {"contents", "generationConfig", "safetySettings"}, "")
    config = call.body.get("generationConfig", {})
    _check_names(
        config,
        {"responseModalities", "imageConfig", "seed", "candidateCount", "temperature"},
        "generation_config",
    )
    image = config.get("imageConfig", {})
    pixels, tokens, sizes = _GEMINI[call.model]
    _check_names(image, {"aspectRatio", "imageSize"} if sizes else {"aspectRatio"}, "image_config")
    contents = call.body.get("contents", [])
    if not call.prompt or any(set(one) - {"parts", "role"} for one in contents):
        raise _wrong("contents are not right")
    if "IMAGE" not in config.get("responseModalities", ["TEXT", "IMAGE"]):
        raise _wrong("responseModalities must hold IMAGE")
    if image.get("imageSize", "1K") not in {"1K", *sizes}:
        raise _wrong("imageSize has an invalid value")
    edges = _gemini_size(image.get("aspectRatio", "1:1"), image.get("imageSize", "1K"), pixels)
    images = draw(call, content, edges, "png", 1)
    return _candidates(call, content, images, tokens)


def _gemini_size(ratio: str, size: str, pixels: dict[str, tuple[int, int]]) -> tuple[int, int]:
    turned = ":".join(reversed(ratio.split(":")))
    factor = {"1K": 1, "2K": 2, "4K": 4}[size]
    if ratio in pixels:
        width, height = pixels[ratio]
    elif turned in pixels:
        height, width = pixels[turned]
    else:
        raise _wrong("aspectRatio has an invalid value")
    return (width * factor, height * factor)


def _candidates(call: Call, content: Rule, images: list[bytes], tokens: int) -> Reply:
    if content.do == "blocked":
        call.paid = 0
        feedback = {"blockReason": "PROHIBITED_CONTENT"}
        return Reply.json({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 3}})
    if content.do == "moderated":
        call.paid = 0
        candidates: list[dict[str, Any]] = [{"finishReason": "IMAGE_SAFETY", "index": 0}]
        return Reply.json({"candidates": candidates, "usageMetadata": {"promptTokenCount": 3}})
    parts: list[dict[str, Any]] = [
        {"inlineData": {"mimeType": "image/png", "data": base64_of(data, content)}}
        for data in images
    ]
    if content.do == "text_first":
        parts.insert(0, {"text": "Here is your picture:"})
    answered = {"role": "model", "parts": parts}
    candidate: dict[str, Any] = {"content": answered, "finishReason": "STOP"}
    if not images:
        candidate = {"content": {"role": "model", "parts": [{"text": "I am sorry."}]}}
    usage: dict[str, Any] = {
        "promptTokenCount": 3,
        "candidatesTokenCount": tokens,
        "totalTokenCount": tokens + 3,
    }
    if content.do == "missing":
        return Reply.json({"candidates": [{"content": {"parts": parts}}]})
    if content.do == "nulls":
        candidate |= {"finishReason": None, "safetyRatings": None}
        return Reply.json(
            {"candidates": [candidate], "usageMetadata": None, "promptFeedback": None}
        )
    return Reply.json({"candidates": [candidate], "usageMetadata": usage})
