"""The OpenAI Images API: `/openai/v1/images/...`, `/openai/v1/models`, result files."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sandbox.faults import Faults, Plan
from sandbox.forms import Form
from sandbox.limits import WINDOW_S, Meter
from sandbox.openai_answers import Answers
from sandbox.openai_edits import form_of, read_edit, read_variation
from sandbox.openai_rules import (
    INVALID_REQUEST,
    MODELS,
    USER_ERROR,
    OpenAIError,
    Params,
    model_error,
    read_params,
)
from sandbox.server import Request, Response, Studio, json_response

_URL_TTL_S: Final = 3600.0  # "URLs expire after 60 minutes", openai-openapi, read 2026-11-21
_ACCOUNT_KEYS: Final = "https://platform.openai.com/account/api-keys"
_NO_KEY: Final = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header"
    " using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from"
    f" {_ACCOUNT_KEYS}."
)
_QUOTA: Final = (
    "You exceeded your current quota, please check your plan and billing details. For more"
    " information on this error, read the docs:"
    " https://platform.openai.com/docs/guides/error-codes/api-errors."
)
_VERIFY: Final = (
    "Your organization must be verified to use the model `{model}`. Please go to:"
    " https://platform.openai.com/settings/organization/general and click on Verify Organization."
)
_SERVER_ERROR: Final = (
    "The server had an error while processing your request. Sorry about that! You can retry your"
    " request, or contact us through our help center at help.openai.com if the error persists."
    " (Please include the request ID {request_id} in your message.)"
)
_OVERLOADED: Final = "The engine is currently overloaded, please try again later."
_GPT_REFUSAL: Final = (
    "Your request was rejected by the safety system. If you believe this is an error, contact us"
    " at help.openai.com and include the request ID {request_id}. safety_violations=[violence]."
)
_DALL_E_REFUSAL: Final = (
    "Your request was rejected as a result of our safety system. {subject} may contain text that"
    " is not allowed by our safety system."
)
_GATEWAY_PAGE: Final = (
    "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status}"
    " {reason}</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
)


class OpenAI:
    """The emulated provider."""

    name = "openai"

    def __init__(self, faults: Faults, studio: Studio) -> None:
        self._faults = faults
        self._studio = studio
        self._meter = Meter()
        self._answers = Answers(self.name, faults, studio, url_ttl_s=_URL_TTL_S)

    def handle(self, request: Request) -> Response:
        """Route one call, with the headers that every answer carries."""
        if request.path.startswith("/files/"):
            request.entry.operation = "file"
            return self._studio.serve(request.path.removeprefix("/files/"))
        started = time.monotonic()
        request_id = f"req_{secrets.token_hex(16)}"
        limits: Mapping[str, str] = {}
        try:
            key = _check_key(request)
            limits = self._count_call(key)
            response = self._route(request, request_id)
        except OpenAIError as error:
            response = json_response(error.body, status=error.status, headers=error.headers)
        return replace(
            response,
            headers={
                "x-request-id": request_id,
                "openai-processing-ms": str(round((time.monotonic() - started) * 1000)),
                "openai-organization": "sandbox",
                "openai-version": "2020-10-01",
                **limits,
                **response.headers,
            },
        )

    def _route(self, request: Request, request_id: str) -> Response:
        match request.method, request.path:
            case "POST", "/v1/images/generations":
                return self._draw(request, "generate", request_id)
            case "POST", "/v1/images/edits":
                return self._draw(request, "edit", request_id)
            case "POST", "/v1/images/variations":
                return self._draw(request, "variation", request_id)
            case "GET", "/v1/models":
                request.entry.operation = "models"
                return json_response(
                    {"object": "list", "data": [_model_card(name) for name in self._models()]}
                )
            case "GET", path if path.startswith("/v1/models/"):
                request.entry.operation = "models"
                model_id = path.removeprefix("/v1/models/")
                if model_id not in self._models():
                    raise model_error(model_id)
                return json_response(_model_card(model_id))
            case method, path:
                raise OpenAIError(404, f"Invalid URL ({method} /openai{path})")

    def _models(self) -> list[str]:
        retired = self._faults.settings(self.name).retired
        return [name for name, model in MODELS.items() if not (retired and model.retired)]

    def _count_call(self, key: str) -> dict[str, str]:
        """Count a call against the minute of its key; refuse it when the limit is enforced."""
        counted = self._meter.count(
            key, enforced=self._faults.settings(self.name).requests_per_minute
        )
        headers = {
            "x-ratelimit-limit-requests": str(counted.limit),
            "x-ratelimit-remaining-requests": str(counted.remaining),
            "x-ratelimit-reset-requests": (
                f"{counted.reset_s}s" if counted.reset_s < WINDOW_S else "1m0s"
            ),
        }
        if counted.exceeded:
            headers["retry-after"] = str(counted.reset_s)
            raise _rate_limit_error(counted.limit, headers)
        return headers

    def _draw(self, request: Request, operation: str, request_id: str) -> Response:
        params = self._read(request, operation, request_id)
        plan = self._faults.plan(self.name, params.prompt)
        forced = _forced_answer(plan, params, request_id)
        broken_off = _forced_error(plan, params, request_id, at="partial")
        return self._answers.respond(
            request,
            params,
            plan,
            instead=forced,
            broken_off=None if broken_off is None else broken_off.body,
        )

    def _read(self, request: Request, operation: str, request_id: str) -> Params:
        """Note a call in the log and validate it."""
        retired = self._faults.settings(self.name).retired
        body = _body(request) if operation == "generate" else form_of(request)
        fields = dict(body.texts) if isinstance(body, Form) else body
        if isinstance(fields, dict):
            prompt, model = str(fields.get("prompt") or ""), str(fields.get("model") or "dall-e-2")
            request.note(operation, model, prompt, request_id)
        if not isinstance(body, Form):
            return read_params(body, retired=retired)
        read = read_edit if operation == "edit" else read_variation
        return read(body, retired=retired)


def _body(request: Request) -> object:
    try:
        return request.json()
    except ValueError as error:
        raise OpenAIError(
            400,
            "We could not parse the JSON body of your request. (HINT: This likely means you"
            " aren't using your HTTP library correctly. The OpenAI API expects a JSON payload,"
            " but what was sent was not valid JSON.)",
        ) from error


def _check_key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise OpenAIError(401, _NO_KEY)
    if "bad" in key:
        raise _bad_key(key)
    return key


def _bad_key(key: str) -> OpenAIError:
    shown = f"{key[:5]}{'*' * 8}{key[-4:]}"
    message = f"Incorrect API key provided: {shown}. You can find your API key at {_ACCOUNT_KEYS}."
    return OpenAIError(401, message, code="invalid_api_key")


def _forced_answer(plan: Plan, params: Params, request_id: str) -> Response | None:
    """The answer that directives demand in place of a picture."""
    headers: dict[str, str] = {}
    retry_after = plan.find("retry_after")
    if retry_after is not None:
        headers["retry-after"] = retry_after
    status = plan.find("status")
    if status in {"502", "504"} and not (plan.find("unfunded") or plan.find("refuse")):
        reason = "Bad Gateway" if status == "502" else "Gateway time-out"
        page = _GATEWAY_PAGE.format(status=status, reason=reason)
        return Response(int(status), page.encode(), "text/html", headers)
    error = _forced_error(plan, params, request_id)
    if error is None:
        return None
    return json_response(error.body, status=error.status, headers=headers)


def _forced_error(
    plan: Plan, params: Params, request_id: str, *, at: str = ""
) -> OpenAIError | None:
    """The error that directives demand, at the beginning or after the first partial image."""
    refusal, status = plan.find("refuse", at=at), plan.find("status", at=at)
    if plan.find("unfunded", at=at):
        return OpenAIError(429, _QUOTA, type_="insufficient_quota", code="insufficient_quota")
    if refusal is not None:
        return _refusal(params, "output" if refusal == "output" else "input", request_id)
    return None if status is None else _status_error(int(status), params, request_id)


def _status_error(status: int, params: Params, request_id: str) -> OpenAIError:
    match status:
        case 401:
            return _bad_key("sk-refused-by-directive")
        case 403:
            return OpenAIError(403, _VERIFY.format(model=params.model_id))
        case 404:
            return model_error(params.model_id)
        case 429:
            return _rate_limit_error(5)
        case _ if status >= 500:  # noqa: PLR2004 - the class of server errors
            text = _OVERLOADED if status == 503 else _SERVER_ERROR  # noqa: PLR2004
            message = text.format(request_id=request_id)
            return OpenAIError(status, message, type_="server_error")
        case _:
            return OpenAIError(status, f"Request failed with status {status}.")


def _rate_limit_error(limit: int, headers: Mapping[str, str] | None = None) -> OpenAIError:
    message = (
        "Rate limit exceeded for images per minute in organization sandbox."
        f" Limit: {limit}/1min. Current: {limit + 1}/1min."
    )
    return OpenAIError(429, message, type_="requests", code="rate_limit_exceeded", headers=headers)


def _refusal(params: Params, stage: str, request_id: str) -> OpenAIError:
    if params.model.gpt:
        details = {"moderation_stage": stage, "categories": ["violence"]}
        return OpenAIError(
            400,
            _GPT_REFUSAL.format(request_id=request_id),
            type_=USER_ERROR,
            code="moderation_blocked",
            more={"moderation_details": details},
        )
    subject = "Your prompt" if stage == "input" else "Image descriptions generated from your prompt"
    message = _DALL_E_REFUSAL.format(subject=subject)
    return OpenAIError(400, message, type_=INVALID_REQUEST, code="content_policy_violation")


def _model_card(model_id: str) -> dict[str, object]:
    return {"id": model_id, "object": "model", "created": 1_700_000_000, "owned_by": "system"}
