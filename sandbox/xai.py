"""xAI's images: `/xai/v1/images/generations`, `/xai/v1/images/edits` and result files."""

import base64
import hashlib
import secrets
import time
from dataclasses import replace
from typing import Final

from sandbox.drawing import Picture
from sandbox.faults import Faults, Plan, hang
from sandbox.limits import Meter
from sandbox.openai_answers import withheld_images
from sandbox.server import Request, Response, Studio, json_response, pause, picture_for
from sandbox.xai_edits import read_edit
from sandbox.xai_rules import MODELS, Params, XAIError, invalid, read_params

_PERMISSION: Final = "The caller does not have permission to execute the specified operation"
_EXHAUSTED: Final = "Some resource has been exhausted"
_NO_CREDITS: Final = (
    "Your team sandbox has either used all available credits or reached its monthly spending limit."
    " To continue making API requests, please purchase more credits or raise your spending limit."
)
_BAD_KEY: Final = (
    "Incorrect API key provided: {shown}. You can obtain an API key from https://console.x.ai."
)
_REFUSED: Final = "Content violates usage guidelines."
_KEPT: Final = "Generated image rejected by content moderation."


class XAI:
    """The emulated provider."""

    name = "xai"

    def __init__(self, faults: Faults, studio: Studio) -> None:
        self._faults = faults
        self._studio = studio
        self._meter = Meter()

    def handle(self, request: Request) -> Response:
        """Route one call, with the headers that every answer carries."""
        if request.path.startswith("/files/"):
            request.entry.operation = "file"
            return self._studio.serve(request.path.removeprefix("/files/"))
        request_id = secrets.token_hex(16)
        headers = {"x-request-id": request_id}
        try:
            headers |= self._count_call(_check_key(request))
            response = self._draw(request, _operation(request), request_id)
        except XAIError as error:
            response = error.response()
        return replace(response, headers={**headers, **response.headers})

    def _count_call(self, key: str) -> dict[str, str]:
        enforced = self._faults.settings(self.name).requests_per_minute
        counted = self._meter.count(key, enforced=enforced)
        if counted.exceeded:
            raise _too_many(counted.reset_s)
        return {
            "x-ratelimit-limit-requests": str(counted.limit),
            "x-ratelimit-remaining-requests": str(counted.remaining),
        }

    def _draw(self, request: Request, operation: str, request_id: str) -> Response:
        try:
            body = request.json()
        except ValueError as error:
            raise XAIError(400, None, "Failed to parse the request body as JSON") from error
        fields = body if isinstance(body, dict) else {}
        prompt = str(fields.get("prompt") or "")
        request.note(operation, str(fields.get("model") or ""), prompt, request_id)
        read = read_edit if operation == "edit" else read_params
        params = read(body, retired=self._faults.settings(self.name).retired)
        request.entry.files = [hashlib.sha256(data).hexdigest() for data in params.inputs]
        plan = self._faults.plan(self.name, prompt)
        if plan.find("hang") is not None and not plan.hangs_at("file"):
            hang()
        started = time.monotonic()
        forced = _forced_error(plan, params)
        response = forced.response() if forced else self._answer(request, params, plan)
        pause(plan.delay_s - (time.monotonic() - started))
        drips = plan.find("drip") and forced is None
        return response.dripped() if drips else response

    def _answer(self, request: Request, params: Params, plan: Plan) -> Response:
        count = 0 if plan.find("empty") else params.n
        kept = withheld_images(plan, count)
        data: list[dict[str, object]] = [_withheld(params) for _ in range(kept)]
        data += [self._item(request, params, plan) for _ in range(count - kept)]
        usage = {"cost_in_usd_ticks": params.ticks * count + params.input_ticks}
        return json_response({"created": int(time.time()), "data": data, "usage": usage})

    def _item(self, request: Request, params: Params, plan: Plan) -> dict[str, object]:
        picture = picture_for(
            plan,
            Picture(
                caption=params.prompt,
                model=params.model_id,
                width=params.width,
                height=params.height,
                format="jpeg",
                entropy=secrets.token_hex(8),
                noise=self._faults.settings(self.name).noise,
                inputs=params.inputs,
            ),
        )
        rewrites = MODELS[params.model_id].rewrites
        item: dict[str, object] = {
            "mime_type": "image/jpeg",
            "revised_prompt": f"A photograph: {picture.caption}" if rewrites else "",
            "respect_moderation": True,
        }
        if params.as_url:
            item["url"] = f"{request.root}/files/{self._studio.publish(picture, plan)}"
        else:
            item["b64_json"] = base64.b64encode(self._studio.draw(picture)).decode()
        return item


def _withheld(params: Params) -> dict[str, object]:
    return {
        "url" if params.as_url else "b64_json": "",
        "mime_type": "",
        "revised_prompt": "",
        "respect_moderation": False,
    }


def _check_key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise XAIError(401, "Unauthenticated", "No API key was provided.")
    if "bad" in key:
        raise invalid(_BAD_KEY.format(shown=f"{key[:2]}***{key[-2:]}"))
    return key


def _operation(request: Request) -> str:
    match request.method, request.path:
        case "POST", "/v1/images/generations":
            return "generate"
        case "POST", "/v1/images/edits":
            return "edit"
        case _:
            raise XAIError(404, "Not Found", f"No such path: {request.path}")


def _too_many(seconds: int) -> XAIError:
    message = "Too many requests for team sandbox. Your team's rate limit is 5 requests per second."
    return XAIError(429, _EXHAUSTED, message, headers={"retry-after": str(seconds)})


def _forced_error(plan: Plan, params: Params) -> XAIError | None:
    """The error that directives demand in place of a picture."""
    refusal, status = plan.find("refuse"), plan.find("status")
    if plan.find("unfunded"):
        error = XAIError(403, _PERMISSION, _NO_CREDITS)
    elif refusal == "output":
        error = invalid(
            _KEPT, usage={"cost_in_usd_ticks": params.ticks * params.n + params.input_ticks}
        )
    elif refusal is not None:
        error = invalid(_REFUSED)
    elif status is not None:
        error = _status_error(int(status), params)
    else:
        return None
    retry_after = plan.find("retry_after")
    if retry_after is not None:
        error.headers = {"retry-after": retry_after}
    return error


def _status_error(status: int, params: Params) -> XAIError:
    match status:
        case 401:
            return XAIError(401, "Unauthenticated", "The API key is disabled.")
        case 403:
            return XAIError(403, _PERMISSION, "Team sandbox is blocked.")
        case 404:
            text = f"The model {params.model_id} does not exist or your team does not have access."
            return XAIError(404, "Some requested entity was not found", text)
        case 429:
            return _too_many(1)
        case _ if status >= 500:  # noqa: PLR2004 - the class of server errors
            return XAIError(status, "Service unavailable", "The service is overloaded.")
        case _:
            return XAIError(status, "Unknown", f"Request failed with status {status}.")
