"""What Google's image models take: pixels, and the checks of `:predict` and `:generateContent`.

Pixels and tokens as the Gemini API's guides list them, read 2026-11-21.
"""

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.gemini_errors import GeminiError, invalid, unknown_name
from sandbox.retouching import facts_of

Pixels = Mapping[str, tuple[int, int]]

_IMAGEN: Final[Pixels] = {
    "1:1": (1024, 1024), "16:9": (1408, 768), "9:16": (768, 1408), "4:3": (1280, 896),
    "3:4": (896, 1280),
}  # fmt: skip
_FLASH: Final[Pixels] = {
    "1:1": (1024, 1024), "16:9": (1344, 768), "9:16": (768, 1344), "4:3": (1184, 864),
    "3:4": (864, 1184), "3:2": (1248, 832), "2:3": (832, 1248), "5:4": (1152, 896),
    "4:5": (896, 1152), "21:9": (1536, 672),
}  # fmt: skip
_THIRD: Final[Pixels] = {
    "1:1": (1024, 1024), "16:9": (1376, 768), "9:16": (768, 1376), "4:3": (1200, 896),
    "3:4": (896, 1200), "3:2": (1264, 848), "2:3": (848, 1264), "5:4": (1152, 928),
    "4:5": (928, 1152), "21:9": (1584, 672),
}  # fmt: skip
_SCALES: Final = {"1K": 1, "2K": 2, "4K": 4}


@dataclass(frozen=True, slots=True)
class Model:
    """One upstream model; `tokens` are those of an image by its size, empty for Imagen.

    `tokens_in` are those of an image sent along, of which there may be `max_inputs`.
    """

    pixels: Pixels
    sizes: tuple[str, ...]
    tokens: Mapping[str, int] = field(default_factory=dict)
    thinks: bool = False
    tokens_in: int = 0
    max_inputs: int = 0

    @property
    def is_imagen(self) -> bool:
        """Whether `:predict` is its method."""
        return not self.tokens

    @property
    def method(self) -> str:
        """The one method that is emulated."""
        return "predict" if self.is_imagen else "generateContent"


_PRO: Final = Model(
    _THIRD,
    ("1K", "2K", "4K"),
    {"1K": 1120, "2K": 1120, "4K": 2000},
    thinks=True,
    tokens_in=1120,
    max_inputs=14,
)
MODELS: Final = {
    "imagen-4.0-generate-001": Model(_IMAGEN, ("1K", "2K")),
    "imagen-4.0-fast-generate-001": Model(_IMAGEN, ("1K",)),
    "imagen-4.0-ultra-generate-001": Model(_IMAGEN, ("1K", "2K")),
    "gemini-2.5-flash-image": Model(_FLASH, ("1K",), {"1K": 1290}, tokens_in=258, max_inputs=3),
    "gemini-3-pro-image": _PRO,
    "gemini-3-pro-image-preview": _PRO,
    "gemini-3.1-flash-image": Model(
        _THIRD,
        ("1K", "2K", "4K"),
        {"1K": 1120, "2K": 1680, "4K": 2520},
        thinks=True,
        tokens_in=1120,
        max_inputs=14,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """One checked call."""

    prompt: str
    width: int
    height: int
    size: str = "1K"
    n: int = 1
    format: str = "png"
    quality: int = 75
    explains: bool = False
    rates_prompt: bool = False
    rewrites: bool = False
    storage: str | None = None
    draws: bool = True
    inputs: tuple[bytes, ...] = ()


_PERSONS: Final = {"dont_allow", "allow_adult", "allow_all"}
_SAFETY: Final = {"block_low_and_above"}
_SAFETY_VERTEX: Final = _SAFETY | {"block_medium_and_above", "block_only_high", "block_none"}
_LANGUAGES: Final = {"auto", "en", "zh", "zh-cn", "zh-tw", "hi", "ja", "ko", "pt", "es"}
_VERTEX_ONLY: Final = ("negativePrompt", "seed", "storageUri", "addWatermark", "enhancePrompt")
_FLAGS: Final = (
    "includeRaiReason", "includeSafetyAttributes", "addWatermark", "enhancePrompt"
)  # fmt: skip
_TOP: Final = {
    "contents", "generationConfig", "safetySettings", "systemInstruction", "tools", "toolConfig",
    "cachedContent",
}  # fmt: skip
_CONFIG: Final = {
    "responseModalities", "imageConfig", "candidateCount", "temperature", "topP", "topK", "seed",
    "maxOutputTokens", "stopSequences", "responseMimeType", "thinkingConfig", "mediaResolution",
}  # fmt: skip
_MODALITIES: Final = {"TEXT", "IMAGE"}
_INPUT_TYPES: Final = {"image/png", "image/jpeg", "image/webp"}
_WEB_SAFE: Final = str.maketrans("-_", "+/")


def read_predict(body: Any, model: Model, *, on_vertex: bool) -> Params:  # noqa: ANN401 - any JSON
    """Check a body of `:predict`.

    Raises:
        GeminiError: it is refused.
    """
    fields = _object(body, "")
    _names(fields, {"instances", "parameters"} | ({"labels"} if on_vertex else set()), "")
    instances = fields.get("instances")
    if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], dict):
        raise invalid("Exactly one instance is expected.")
    prompt = instances[0].get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("Text prompt is required.")
    given = _object(fields.get("parameters", {}), "parameters")
    _check_words(given, on_vertex=on_vertex)
    size = _choice(given, "sampleImageSize", "1K", model.sizes)
    width, height = model.pixels[_choice(given, "aspectRatio", "1:1", model.pixels)]
    mime, quality = _output(given.get("outputOptions", {}))
    return Params(
        prompt=prompt,
        width=width * _SCALES[size],
        height=height * _SCALES[size],
        size=size,
        n=_integer(given, "sampleCount", 4, 1, 4),
        format=mime,
        quality=quality,
        explains=given.get("includeRaiReason", False),
        rates_prompt=given.get("includeSafetyAttributes", False),
        rewrites=on_vertex and given.get("enhancePrompt", True),
        storage=given.get("storageUri"),
    )


def read_content(body: Any, model: Model, *, on_vertex: bool) -> Params:  # noqa: ANN401 - any JSON
    """Check a body of `:generateContent`.

    Raises:
        GeminiError: it is refused.
    """
    fields = _object(body, "")
    _names(fields, _TOP | ({"labels"} if on_vertex else set()), "")
    parts = _parts_of(fields.get("contents"), on_vertex=on_vertex)
    config = _object(fields.get("generationConfig", {}), "generation_config")
    _names(config, _CONFIG, "generation_config")
    if config.get("candidateCount", 1) != 1:
        raise invalid("Multiple candidates is not enabled for this model")
    modalities = config.get("responseModalities", ["TEXT", "IMAGE"])
    if not isinstance(modalities, list) or not _MODALITIES.issuperset(modalities):
        raise invalid("The requested combination of response modalities is not supported.")
    image = _object(config.get("imageConfig", {}), "generation_config.image_config")
    names = {"aspectRatio", "imageSize", "personGeneration"}
    _names(
        image,
        names | ({"imageOutputOptions"} if on_vertex else set()),
        "generation_config.image_config",
    )
    ratio = _image_field(image, "aspectRatio", "aspect_ratio", "1:1", model.pixels)
    size = _image_field(image, "imageSize", "image_size", "1K", model.sizes)
    width, height = model.pixels[ratio]
    return Params(
        prompt=_text_of(parts),
        width=width * _SCALES[size],
        height=height * _SCALES[size],
        size=size,
        draws="IMAGE" in modalities,
        inputs=_images_of(parts, model),
    )


def prompt_of(body: Any) -> str:  # noqa: ANN401 - any JSON
    """Find the prompt in a body that is not checked yet, for the log."""
    match body:
        case {"instances": [{"prompt": str(prompt)}, *_]}:
            return prompt
        case {"contents": [*_, {"parts": [*_, {"text": str(prompt)}]}]}:
            return prompt
        case {"contents": [*_, {"parts": [{"text": str(prompt)}, *_]}]}:
            return prompt
    return ""


def _parts_of(contents: Any, *, on_vertex: bool) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    turns = [contents] if isinstance(contents, dict) else contents
    if not isinstance(turns, list) or not turns:
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")
    found: list[dict[str, Any]] = []
    for turn in turns:
        parts = turn.get("parts") if isinstance(turn, dict) else None
        if not isinstance(parts, list) or not parts:
            raise invalid("* GenerateContentRequest.contents: contents.parts must not be empty.\n")
        if turn.get("role") not in ({"user", "model"} if on_vertex else {"user", "model", None}):
            raise invalid("Please use a valid role: user, model.")
        found += [_object(part, "contents.parts") for part in parts]
    return found


def _text_of(parts: list[dict[str, Any]]) -> str:
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    if not any(texts):
        raise invalid("Unable to submit request because it must have a text parameter.")
    return "\n".join(texts)


def _images_of(parts: list[dict[str, Any]], model: Model) -> tuple[bytes, ...]:
    """Decode the images sent along; the official clients write either style of names."""
    images: list[bytes] = []
    for part in parts:
        blob = part.get("inlineData") or part.get("inline_data")
        if blob is None:
            continue
        mime, data = _blob(_object(blob, "contents.parts.inline_data"))
        facts = facts_of(data)
        if mime not in _INPUT_TYPES:
            raise invalid(f"Unsupported MIME type: {mime}")
        if facts is None or f"image/{facts.format}" != mime:
            raise invalid(
                "Unable to process input image. Please retry or report in"
                " https://developers.generativeai.google/guide/troubleshooting"
            )
        images.append(data)
    if len(images) > model.max_inputs:
        raise invalid(f"Please use at most {model.max_inputs} images.")
    return tuple(images)


def _blob(blob: Mapping[str, Any]) -> tuple[str, bytes]:
    mime = blob.get("mimeType", blob.get("mime_type"))
    try:
        # Both alphabets are taken, as protobuf's JSON has it.
        data = str(blob.get("data", "")).translate(_WEB_SAFE)
        return str(mime), base64.b64decode(data, validate=True)
    except ValueError as error:
        raise invalid(
            "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES),"
            " Base64 decoding failed"
        ) from error


def _check_words(given: Mapping[str, Any], *, on_vertex: bool) -> None:
    for name in _VERTEX_ONLY:
        if name in given and not on_vertex:
            raise invalid(f"{name} parameter is not supported in Gemini API.")
    for name in _FLAGS:
        if not isinstance(given.get(name, False), bool):
            raise _unsupported(name, given[name])
    _choice(given, "personGeneration", "allow_adult", _PERSONS)
    _choice(
        given,
        "safetySetting",
        "block_low_and_above",
        _SAFETY_VERTEX if on_vertex else _SAFETY,
    )
    _choice(given, "language", "auto", _LANGUAGES)
    if "seed" in given and given.get("addWatermark", True):
        raise invalid("Seed is not supported when watermark is enabled.")


def _output(options: Any) -> tuple[str, int]:  # noqa: ANN401 - any JSON
    given = _object(options, "parameters.outputOptions")
    mime = _choice(given, "mimeType", "image/png", {"image/png", "image/jpeg"})
    return mime.removeprefix("image/"), _integer(given, "compressionQuality", 75, 0, 100)


def _object(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(value, dict):
        at = f" at '{where}'" if where else ""
        raise invalid(f"Invalid JSON payload received{at}: a message is expected.", field=where)
    return value


def _names(given: Mapping[str, object], known: Collection[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise unknown_name(name, where)


def _choice(given: Mapping[str, Any], name: str, default: str, known: Collection[str]) -> str:
    """Read a word; the clients send the documented lower case in upper case, too."""
    value = given.get(name, default)
    if isinstance(value, str):
        for word in (value, value.lower()):
            if word in known:
                return word
    raise _unsupported(name, value)


def _integer(given: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = given.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _unsupported(name, value)
    return value


def _image_field(
    given: Mapping[str, Any], name: str, path: str, default: str, known: Collection[str]
) -> str:
    value = given.get(name, default)
    if value in known:
        return str(value)
    words = ", ".join(f"'{word}'" for word in known)
    where = f"generation_config.image_config.{path}"
    raise invalid(f"* GenerateContentRequest.{where}: {path} must be one of {words}.\n")


def _unsupported(name: str, value: object) -> GeminiError:
    return invalid(
        f"`{name}` does not support `{value}` as a valid value. Please refer to the Gemini API"
        " documentation for supported usage."
    )
