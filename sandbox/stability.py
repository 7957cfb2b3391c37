"""Stability AI's API: `/stability/v2beta/stable-image/generate/{core|ultra|sd3}`, v1 SDXL, balance.

Statuses of 402 and of v1's prompt filter come from public reports; texts are worded alike.
"""

import base64
import re
import secrets
import time
from dataclasses import replace
from typing import Final

from sandbox.drawing import Picture
from sandbox.faults import Faults, Plan, hang
from sandbox.forms import read_form
from sandbox.server import (
    Request,
    Response,
    Studio,
    json_response,
    pause,
    picture_for,
)
from sandbox.stability_rules import (
    ENGINES,
    SERVICES,
    Inputs,
    InvalidInputError,
    read_json,
    read_v2,
)

_V2: Final = re.compile(r"/v2beta/stable-image/generate/([a-z0-9-]+)")
_V1: Final = re.compile(r"/v1/generation/([^/]+)/text-to-image")
_SEEDS: Final = 4_294_967_294
_CREDITS: Final = 1000.0
_BODY_MAX: Final = 10 * 1024 * 1024
_ERRORS: Final = {
    400: ("bad_request", "some-field: is required"),
    401: ("unauthorized", "authorization: invalid or missing header value"),
    402: ("payment_required", "You lack sufficient credits to make this request."),
    403: ("forbidden", "You lack the necessary permissions to perform this action."),
    404: ("not_found", "The requested resource was not found."),
    405: ("method_not_allowed", "The method is not allowed."),
    406: ("not_acceptable", "accept: must be image/* or application/json"),
    413: ("payload_too_large", "body: payload cannot be larger than 10MiB in size"),
    415: ("unsupported_media_type", "content-type: must be multipart/form-data"),
    422: ("unprocessable_entity", "The request could not be processed."),
    429: ("rate_limit_exceeded", "You have exceeded the rate limit of 150 requests in 10 seconds."),
    500: ("internal_error", "An internal error occurred."),
    503: ("internal_error", "The service is unavailable."),
}
_MODERATION: Final = (
    "Your request was flagged by our content moderation system, as a result your request was"
    " denied and you were not charged."
)
_INVALID_PROMPTS: Final = "Invalid prompts detected"


class Stability:
    """The emulated provider."""

    name = "stability"

    def __init__(self, faults: Faults, studio: Studio) -> None:
        self._faults = faults
        self._studio = studio

    def handle(self, request: Request) -> Response:
        """Route one call, with the header that every answer carries."""
        request_id = secrets.token_hex(16)
        response = self._route(request, request_id)
        return replace(response, headers={"x-request-id": request_id, **response.headers})

    def _route(self, request: Request, request_id: str) -> Response:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        v1 = request.path.startswith("/v1/")
        if scheme.lower() != "bearer" or not key.strip() or "bad" in key:
            return _error(401, v1=v1)
        if (request.method, request.path) == ("GET", "/v1/user/balance"):
            return json_response({"credits": _CREDITS})
        service, engine = _V2.fullmatch(request.path), _V1.fullmatch(request.path)
        known = (service and service[1] in SERVICES) or (engine and engine[1] in ENGINES)
        if not known:
            return _error(404, v1=v1)
        if request.method != "POST":
            return _error(405, v1=v1)
        if len(request.body) > _BODY_MAX:
            return _error(413, v1=v1)
        return self._generate(request, request_id, v1=v1)

    def _generate(self, request: Request, request_id: str, *, v1: bool) -> Response:
        name = request.path.rsplit("/", 2)[1] if v1 else request.path.rsplit("/", 1)[1]
        accept = request.headers.get("accept", "*/*")
        as_json = "application/json" in accept or (v1 and "image/" not in accept)
        if not as_json and "image/" not in accept and "*/*" not in accept:
            return _error(406, v1=v1)
        try:
            inputs = read_json(name, request.json()) if v1 else read_v2(name, read_form(request))
        except InvalidInputError as error:
            request.note("generate", name, "", request_id)
            return _error(400, *error.problems, v1=v1)
        except ValueError:
            return _error(400, "body: is not valid JSON", v1=v1) if v1 else _error(415, v1=v1)
        request.note("generate", inputs.model, inputs.prompt, request_id)
        request.note_files(inputs.sent)
        plan = self._faults.plan(self.name, inputs.prompt)
        if plan.find("hang") is not None:
            hang()
        started = time.monotonic()
        response = _forced(plan, v1=v1) or self._answer(inputs, plan, as_json=as_json, v1=v1)
        pause(plan.delay_s - (time.monotonic() - started))
        return response.dripped() if plan.find("drip") else response

    def _answer(self, inputs: Inputs, plan: Plan, *, as_json: bool, v1: bool) -> Response:
        seed = 1 + secrets.randbelow(_SEEDS) if inputs.seed is None else inputs.seed
        filtered = _filtered(plan, inputs.images)
        count = 0 if plan.find("empty") else inputs.images
        artifacts = [
            (
                self._draw(inputs, plan, seed, index, is_filtered=index < filtered),
                "CONTENT_FILTERED" if index < filtered else "SUCCESS",
                (seed + index) % (_SEEDS + 1),
            )
            for index in range(count)
        ]
        if v1 and as_json:
            items = [
                {"base64": base64.b64encode(data).decode(), "seed": own, "finishReason": reason}
                for data, reason, own in artifacts
            ]
            return json_response({"artifacts": items})
        data, reason, own = artifacts[0] if artifacts else (b"", "SUCCESS", seed)
        kind = f"image/{inputs.format}"
        if not as_json:
            return Response(200, data, kind, {"finish-reason": reason, "seed": str(own)})
        image = base64.b64encode(data).decode()
        body = {"image": image, "finish_reason": reason, "seed": own}
        return replace(json_response(body), content_type=f"application/json; type={kind}")

    def _draw(
        self, inputs: Inputs, plan: Plan, seed: int, index: int, *, is_filtered: bool
    ) -> bytes:
        """Draw one image; what the filter leaves is black here, and blurred at the real one."""
        entropy = str(seed) if inputs.seed is not None else secrets.token_hex(8)
        picture = Picture(
            caption=inputs.prompt,
            model=inputs.model,
            width=inputs.width,
            height=inputs.height,
            format=inputs.format,
            entropy=f"{entropy}/{index}",
            black=is_filtered,
            noise=self._faults.settings(self.name).noise,
            inputs=inputs.sent,
        )
        return self._studio.draw(picture_for(plan, picture))


def _filtered(plan: Plan, images: int) -> int:
    """How many of the images the output's filter withholds: all, or the first alone."""
    flagged = plan.find("nsfw")
    if flagged == "first":
        return 1
    return images if flagged or plan.find("refuse") == "output" else 0


def _forced(plan: Plan, *, v1: bool) -> Response | None:
    """The answer that directives demand in place of a picture."""
    if plan.find("unfunded"):
        return _error(402, v1=v1)
    if plan.find("refuse") not in {None, "output"}:
        if v1:
            return _error(400, _INVALID_PROMPTS, name="invalid_prompts", v1=True)
        return _error(403, _MODERATION, name="content_moderation", v1=False)
    status = plan.find("status")
    if status is None:
        return None
    seconds = plan.find("retry_after")
    return replace(
        _error(int(status), v1=v1), headers={} if seconds is None else {"retry-after": seconds}
    )


def _error(status: int, *texts: str, v1: bool, name: str | None = None) -> Response:
    usual, text = _ERRORS.get(status, ("internal_error", "An internal error occurred."))
    problems = list(texts) or [text]
    body: dict[str, object] = {"id": secrets.token_hex(16), "name": name or usual}
    body |= {"message": "; ".join(problems)} if v1 else {"errors": problems}
    return json_response(body, status=status)
