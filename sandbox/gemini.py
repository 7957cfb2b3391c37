"""Google's image models: `/gemini/v1beta/models/{id}:predict` and `:generateContent`.

The same below Vertex AI's paths, `/gemini/v1/projects/{id}/locations/{id}/publishers/google/models`
and, for its express mode, `/gemini/v1beta1/publishers/google/models`.
"""

import base64
import re
import secrets
import time
from dataclasses import dataclass
from typing import Final

from sandbox.drawing import Picture
from sandbox.faults import Faults, Plan, hang
from sandbox.gemini_errors import (
    GeminiError,
    bad_key,
    blocked,
    exhausted,
    forced,
    invalid,
    missing_model,
    page,
    unauthenticated,
    unfunded,
    unregistered,
)
from sandbox.gemini_rules import MODELS, Model, Params, prompt_of, read_content, read_predict
from sandbox.limits import Meter
from sandbox.server import Request, Response, Studio, json_response, pause, picture_for

_PATH: Final = re.compile(
    r"/(?P<version>v1|v1beta|v1beta1)"
    r"(?P<place>(?:/projects/[^/]+/locations/[^/]+)?/publishers/google)?"
    r"/models(?:/(?P<model>[^/:]+)(?::(?P<method>\w+))?)?"
)
_FILTERED: Final = (
    "Unable to show generated images. All images were filtered out because they violated Google's"
    " Responsible AI practices. Support codes: 39322892"
)
_UNSAFE: Final = (
    "Unable to show the generated image. The image was filtered out because it violated Google's"
    " policies. You will not be charged for blocked images."
)
_THOUGHT_TOKENS: Final = 150


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path names; `place` is "" on the Gemini API."""

    version: str
    place: str
    model: str
    method: str

    @property
    def needs_token(self) -> bool:
        """Whether it is a project's, where API keys do not count."""
        return self.place.startswith("projects/")


class Gemini:
    """The emulated provider."""

    name = "gemini"

    def __init__(self, faults: Faults, studio: Studio) -> None:
        self._faults = faults
        self._studio = studio
        self._meter = Meter()

    def handle(self, request: Request) -> Response:
        """Route one call."""
        match = _PATH.fullmatch(request.path)
        if match is None or (match["version"] == "v1beta1" and not match["place"]):
            return page(404)
        target = _Target(
            match["version"],
            (match["place"] or "").strip("/"),
            match["model"] or "",
            match["method"] or "",
        )
        try:
            key = _check_caller(request, target)
            counted = self._meter.count(
                key, enforced=self._faults.settings(self.name).requests_per_minute
            )
            if counted.exceeded:
                raise exhausted(counted.limit, counted.reset_s)
            return self._route(request, target)
        except GeminiError as error:
            return error.response

    def _route(self, request: Request, target: _Target) -> Response:
        if request.method == "GET" and not target.method:
            request.entry.operation = "models"
            if not target.model:
                return json_response({"models": [_card(name) for name in MODELS]})
            self._model(target, "generateContent")
            return json_response(_card(target.model))
        if request.method != "POST" or not target.method:
            return page(404)
        return self._generate(request, target, self._model(target, target.method))

    def _model(self, target: _Target, method: str) -> Model:
        """Return a model that is served.

        Imagen is retired on the Gemini API alone.

        Raises:
            GeminiError: it is not, or not by this method.
        """
        model = MODELS.get(target.model)
        is_gone = (
            model is not None
            and model.is_imagen
            and not target.place
            and self._faults.settings(self.name).retired
        )
        if model is None or is_gone or (target.method and model.method != method):
            raise missing_model(target.model, method, target.version, target.place)
        return model

    def _generate(self, request: Request, target: _Target, model: Model) -> Response:
        try:
            body = request.json()
        except ValueError as error:
            raise invalid("Invalid JSON payload received. Expected a value.") from error
        request_id = secrets.token_urlsafe(16)
        request.note("generate", target.model, prompt_of(body), request_id)
        read = read_predict if model.is_imagen else read_content
        params = read(body, model, on_vertex=bool(target.place))
        request.note_files(params.inputs)
        plan = self._faults.plan(self.name, params.prompt)
        if plan.find("hang") is not None:
            hang()
        started = time.monotonic()
        try:
            response = _forced(plan, model) or self._answer(target, model, params, plan, request_id)
        finally:
            pause(plan.delay_s - (time.monotonic() - started))
        return response.dripped() if plan.find("drip") else response

    def _answer(
        self, target: _Target, model: Model, params: Params, plan: Plan, request_id: str
    ) -> Response:
        if model.is_imagen:
            return json_response(self._predictions(target, params, plan))
        answer = self._candidates(target, params, plan)
        answer |= {
            "usageMetadata": _usage(model, params, answer),
            "modelVersion": target.model,
            "responseId": request_id,
        }
        return json_response(answer)

    def _predictions(self, target: _Target, params: Params, plan: Plan) -> dict[str, object]:
        """Imagen's answer: what is filtered is missing, or a reason if the call asked for it."""
        items: list[dict[str, object]] = []
        filtered = _filtered(plan, params.n)
        for index in range(0 if plan.find("empty") else params.n):
            if index >= filtered:
                items.append(self._prediction(target, params, plan, index))
            elif params.explains:
                items.append({"raiFilteredReason": _FILTERED})
        if params.rates_prompt and items:
            rated = {"categories": ["Violence"], "scores": [0.1]}
            items.append({"contentType": "Positive Prompt", "safetyAttributes": rated})
        return {"predictions": items} if items else {}

    def _prediction(
        self, target: _Target, params: Params, plan: Plan, index: int
    ) -> dict[str, object]:
        mime = f"image/{params.format}"
        if params.storage is not None:
            name = f"{params.storage.rstrip('/')}/sample_{index}.{params.format}"
            return {"mimeType": mime, "gcsUri": name}
        item: dict[str, object] = {"mimeType": mime, "bytesBase64Encoded": ""}
        if params.rewrites:
            item["prompt"] = f"A detailed picture: {params.prompt}"
        item["bytesBase64Encoded"] = self._drawn(target, params, plan)
        return item

    def _candidates(self, target: _Target, params: Params, plan: Plan) -> dict[str, object]:
        """Gemini's answer: one candidate, or none for a blocked prompt."""
        refusal = plan.find("refuse")
        if refusal is not None and refusal != "output":
            return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
        if _filtered(plan, 1):
            return _candidate("IMAGE_SAFETY", message=_UNSAFE)
        if plan.find("empty"):
            return _candidate("STOP")
        if not params.draws:
            return _candidate("STOP", {"text": f"A picture of {params.prompt}."})
        data = self._drawn(target, params, plan)
        return _candidate("STOP", {"inlineData": {"mimeType": "image/png", "data": data}})

    def _drawn(self, target: _Target, params: Params, plan: Plan) -> str:
        picture = Picture(
            caption=params.prompt,
            model=target.model,
            width=params.width,
            height=params.height,
            format=params.format,
            entropy=secrets.token_hex(8),
            quality=params.quality,
            noise=self._faults.settings(self.name).noise,
            inputs=params.inputs,
        )
        return base64.b64encode(self._studio.draw(picture_for(plan, picture))).decode()


def _check_caller(request: Request, target: _Target) -> str:
    """Return the key or token of a call.

    Raises:
        GeminiError: there is none of the right kind, or it is refused.
    """
    if target.needs_token:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or "bad" in token:
            raise unauthenticated()
        return token
    key = request.headers.get("x-goog-api-key") or request.query.get("key", "")
    if not key:
        raise unregistered()
    if "bad" in key:
        raise bad_key()
    return key


def _forced(plan: Plan, model: Model) -> Response | None:
    """Return the answer that directives demand in place of a picture.

    Raises:
        GeminiError: it is an error.
    """
    refusal = plan.find("refuse")
    status = plan.find("status")
    if plan.find("unfunded"):
        raise unfunded(is_imagen=model.is_imagen)
    if model.is_imagen and refusal is not None and refusal != "output":
        raise blocked()
    if status == "502":
        return page(502)
    if status is not None:
        raise forced(int(status), plan.find("retry_after"))
    return None


def _filtered(plan: Plan, count: int) -> int:
    """How many images fail the check of the output: all, or the first alone."""
    nsfw = plan.find("nsfw")
    if nsfw == "first":
        return 1
    return count if nsfw or plan.find("refuse") == "output" else 0


def _candidate(finish: str, *parts: dict[str, object], message: str = "") -> dict[str, object]:
    candidate: dict[str, object] = {"finishReason": finish, "index": 0}
    if message:
        candidate["finishMessage"] = message
    candidate["content"] = {"role": "model", "parts": list(parts)} if parts else {}
    return {"candidates": [candidate]}


def _usage(model: Model, params: Params, answer: dict[str, object]) -> dict[str, object]:
    """Count tokens: a quarter of the prompt's letters, and the price list's for an image."""
    text = max(1, len(params.prompt) // 4)
    seen = len(params.inputs) * model.tokens_in
    details: list[dict[str, object]] = [{"modality": "TEXT", "tokenCount": text}]
    if seen:
        details.append({"modality": "IMAGE", "tokenCount": seen})
    usage: dict[str, object] = {
        "promptTokenCount": text + seen,
        "totalTokenCount": text + seen,
        "promptTokensDetails": details,
    }
    match answer:
        case {"candidates": [{"content": {"parts": [{"inlineData": _}]}}]}:
            drawn = model.tokens[params.size]
            thought = _THOUGHT_TOKENS if model.thinks else 0
            usage |= {
                "candidatesTokenCount": drawn,
                "totalTokenCount": text + seen + drawn + thought,
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": drawn}],
            }
            if thought:
                usage["thoughtsTokenCount"] = thought
    return usage


def _card(name: str) -> dict[str, object]:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "supportedGenerationMethods": [MODELS[name].method],
    }
