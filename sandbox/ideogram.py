"""Ideogram's API: `/ideogram/generate`, `/ideogram/v1/ideogram-v3/{generate|remix}`, result files.

Texts of errors other than the refusal are worded alike, not quoted; the status of an empty account
is not documented.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sandbox.drawing import Picture
from sandbox.faults import Faults, Plan, hang
from sandbox.forms import Form, read_form
from sandbox.ideogram_rules import Inputs, InvalidInputError, read_legacy, read_remix, read_v3
from sandbox.server import (
    Request,
    Response,
    Studio,
    iso_time,
    json_response,
    pause,
    picture_for,
)

_FILES: Final = "/api/images/ephemeral/"
_V3: Final = "/v1/ideogram-v3/generate"
_REMIX: Final = "/v1/ideogram-v3/remix"
_URL_TTL_S: Final = 24 * 3600.0
_SEEDS: Final = 2**31
_UNSAFE: Final = "Prompt or provided image failed the safety checks"
_TEXTS: Final = {
    400: "Invalid input provided",
    401: "Invalid API key",
    402: "Insufficient credits",
    403: "Forbidden",
    404: "Not found",
    422: _UNSAFE,
    429: "Too many requests",
    503: "Service unavailable",
}


class Ideogram:
    """The emulated provider."""

    name = "ideogram"

    def __init__(self, faults: Faults, studio: Studio) -> None:
        self._faults = faults
        self._studio = studio
        self._in_flight: Counter[str] = Counter()

    def handle(self, request: Request) -> Response:
        """Route one call."""
        if request.path.startswith(_FILES):
            request.entry.operation = "file"
            return self._download(request)
        key = request.headers.get("api-key", "").strip()
        if not key or "bad" in key:
            return _error(401)
        if request.path not in {"/generate", _V3, _REMIX}:
            return _error(404)
        if request.method != "POST":
            return _error(405, "Method not allowed")
        with self._counted(key) as calls:
            limit = self._faults.settings(self.name).in_flight
            return _error(429) if limit and calls > limit else self._generate(request)

    @contextmanager
    def _counted(self, key: str) -> Iterator[int]:
        """Count the calls of a key that run side by side."""
        self._in_flight[key] += 1
        try:
            yield self._in_flight[key]
        finally:
            self._in_flight[key] -= 1

    def _download(self, request: Request) -> Response:
        if not {"exp", "sig"} <= set(request.query):
            return Response(403, b"Forbidden", "text/plain")
        return self._studio.serve(request.path.removeprefix(_FILES))

    def _generate(self, request: Request) -> Response:
        request_id = secrets.token_hex(8)
        try:
            inputs = _read(request, request_id)
        except InvalidInputError as error:
            return _error(400, str(error))
        plan = self._faults.plan(self.name, inputs.prompt)
        if plan.find("hang") is not None and not plan.hangs_at("file"):
            hang()
        started = time.monotonic()
        response = _forced(plan) or self._answer(request, inputs, plan)
        pause(plan.delay_s - (time.monotonic() - started))
        return response

    def _answer(self, request: Request, inputs: Inputs, plan: Plan) -> Response:
        seed = inputs.seed if inputs.seed is not None else secrets.randbelow(_SEEDS)
        count = 0 if plan.find("empty") else inputs.images
        unsafe = _unsafe(plan, count)
        items = [
            self._item(request, inputs, plan, (seed + index) % _SEEDS, is_safe=index >= unsafe)
            for index in range(count)
        ]
        response = json_response({"created": iso_time(time.time()), "data": items})
        return response.dripped() if plan.find("drip") == "result" else response

    def _item(
        self, request: Request, inputs: Inputs, plan: Plan, seed: int, *, is_safe: bool
    ) -> dict[str, object]:
        width, height = inputs.pixels
        picture = Picture(
            caption=inputs.prompt,
            model=inputs.model,
            width=width,
            height=height,
            format="png",
            entropy=str(seed) if inputs.seed is not None else secrets.token_hex(8),
            noise=self._faults.settings(self.name).noise,
            inputs=inputs.sent,
        )
        drawn = picture_for(plan, picture)
        url = None
        if is_safe:
            name = self._studio.publish(drawn, plan, ttl_s=_URL_TTL_S)
            expires = int(time.time() + _URL_TTL_S)
            url = f"{request.root}{_FILES}{name}?exp={expires}&sig={secrets.token_hex(16)}"
        return {
            "url": url,
            "prompt": f"A detailed picture: {drawn.caption}" if inputs.rewrites else inputs.prompt,
            "resolution": inputs.resolution,
            "is_image_safe": is_safe,
            "seed": seed,
            "style_type": inputs.style,
        }


def _read(request: Request, request_id: str) -> Inputs:
    """Read the body as its endpoint takes it, and note the call.

    Raises:
        InvalidInputError: it is something else.
    """
    if request.path == "/generate":
        body = _parsed(request.json, "JSON")
        inner = body.get("image_request") if isinstance(body, dict) else None
        named = inner if isinstance(inner, dict) else {}
        prompt, model = str(named.get("prompt") or ""), str(named.get("model") or "V_2")
        request.note("generate", model, prompt, request_id)
        return read_legacy(body)
    form: Form = _parsed(lambda: read_form(request), "multipart/form-data")
    texts: dict[str, list[str]] = {}
    for name, text in form.texts:
        texts.setdefault(name, []).append(text)
    prompt = texts.get("prompt", [""])[-1]
    request.note("generate", "ideogram-v3", prompt, request_id)
    if request.path != _REMIX:
        return read_v3(texts)
    inputs = read_remix(texts, form.files)
    request.note_files(inputs.sent)
    return inputs


def _parsed(read: Callable[[], Any], kind: str) -> Any:  # noqa: ANN401 - JSON, or a form
    try:
        return read()
    except ValueError as error:
        raise InvalidInputError(f"The body is not valid {kind}") from error


def _forced(plan: Plan) -> Response | None:
    """The answer that directives demand in place of a picture."""
    status = plan.find("status")
    if plan.find("unfunded"):
        status = "402"
    elif plan.find("refuse") not in {None, "output"}:
        status = "422"
    if status is None:
        return None
    retry_after = plan.find("retry_after")
    return _error(int(status), headers={"retry-after": retry_after} if retry_after else {})


def _unsafe(plan: Plan, count: int) -> int:
    """How many of the images fail the check of the output: all, or the first alone."""
    nsfw = plan.find("nsfw")
    if nsfw == "first":
        return 1
    return count if nsfw or plan.find("refuse") == "output" else 0


def _error(
    status: int, message: str | None = None, *, headers: dict[str, str] | None = None
) -> Response:
    text = message or _TEXTS.get(status, "Internal server error")
    return json_response({"error": text}, status=status, headers=headers)
