"""Azure OpenAI: `/azure_openai/openai/deployments/{deployment}/images/generations` and `edits`.

Every model of Azure's is deployed under its own name. The newer surface, `/openai/v1/...` with the
deployment as `model`, answers too.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sandbox.faults import Faults, Plan
from sandbox.limits import Meter
from sandbox.openai_answers import Answers
from sandbox.openai_edits import form_of, read_edit
from sandbox.openai_rules import (
    INVALID_REQUEST,
    MODELS,
    USER_ERROR,
    OpenAIError,
    Params,
    read_params,
)
from sandbox.server import Request, Response, Studio, json_response

DEPLOYMENTS: Final = (
    "dall-e-3", "gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "gpt-image-2",
    "gpt-image-2.5-flare", "gpt-image-2.5-sunburst",
)  # fmt: skip
_URL_TTL_S: Final = 24 * 3600.0  # Microsoft's reference, read 2026-11-21
_PATH: Final = re.compile(r"/openai/deployments/([^/]+)/images/(generations|edits)")
_V1_PATH: Final = re.compile(r"/openai/v1/images/(generations|edits)")
_OPERATIONS: Final = {"generations": "generate", "edits": "edit"}
_VERSION: Final = re.compile(r"20\d\d-[01]\d-[0-3]\d(-preview)?")
_DENIED: Final = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a"
    " valid key for an active subscription and use a correct regional API endpoint for your"
    " resource."
)
_NO_DEPLOYMENT: Final = (
    "The API deployment for this resource does not exist. If you created the deployment within the"
    " last 5 minutes, please wait a moment and try again."
)
_BLOCKED: Final = (
    "Your resource has been temporarily blocked because we detected behavior that may violate our"
    " content policy. For more details on Azure OpenAI service content policy, please visit"
    " https://aka.ms/aoaicodeofconduct"
)
_TOO_MANY: Final = (
    "Requests to the Image Generations Operation under Azure OpenAI API version {version} have"
    " exceeded call rate limit of your current OpenAI pricing tier. Please retry after {seconds}"
    " seconds."
)
_GPT_REFUSAL: Final = (
    "Your request was rejected by the safety system. If you believe this is an error, contact us"
    " at Azure support ticket and include the request ID {request_id}."
    " safety_violations=[violence]."
)
_DALL_E_REFUSAL: Final = (
    "Your request was rejected as a result of our safety system. Your prompt may contain text that"
    " is not allowed by our safety system."
)
_TASK_FAILED: Final = "Your task failed as a result of our safety system."
_CATEGORIES: Final = ("hate", "self_harm", "sexual", "violence")
_SAFE: Final = {name: {"filtered": False, "severity": "safe"} for name in _CATEGORIES}
_PROMPT_SAFE: Final = {**_SAFE, "jailbreak": {"filtered": False, "detected": False}}
_SEXUAL: Final = {**_SAFE, "sexual": {"filtered": True, "severity": "high"}}
_RETRY_S: Final = 10


class AzureOpenAI:
    """The emulated provider."""

    name = "azure_openai"

    def __init__(self, faults: Faults, studio: Studio) -> None:
        self._faults = faults
        self._studio = studio
        self._meter = Meter()
        self._answers = Answers(
            self.name,
            faults,
            studio,
            url_ttl_s=_URL_TTL_S,
            item_fields={"content_filter_results": _SAFE, "prompt_filter_results": _PROMPT_SAFE},
            withheld={"content_filter_results": _SEXUAL, "prompt_filter_results": _PROMPT_SAFE},
        )

    def handle(self, request: Request) -> Response:
        """Route one call, with the headers that every answer carries."""
        if request.path.startswith("/files/"):
            request.entry.operation = "file"
            return self._studio.serve(request.path.removeprefix("/files/"))
        request_id = secrets.token_hex(16)
        limits: Mapping[str, str] = {}
        try:
            key = _check_key(request)
            deployment, operation = _target(request)
            limits = self._count_call(key, request)
            response = self._draw(request, deployment, operation, request_id)
        except OpenAIError as error:
            response = json_response(error.body, status=error.status, headers=error.headers)
        return replace(
            response,
            headers={
                "apim-request-id": request_id,
                "x-request-id": request_id,
                "x-ms-region": "Sandbox",
                **limits,
                **response.headers,
            },
        )

    def _count_call(self, key: str, request: Request) -> dict[str, str]:
        enforced = self._faults.settings(self.name).requests_per_minute
        counted = self._meter.count(key, enforced=enforced)
        if counted.exceeded:
            raise _too_many(request, counted.reset_s)
        return {
            "x-ratelimit-limit-requests": str(counted.limit),
            "x-ratelimit-remaining-requests": str(counted.remaining),
        }

    def _draw(
        self, request: Request, deployment: str | None, operation: str, request_id: str
    ) -> Response:
        form = form_of(request) if operation == "edit" else None
        fields = dict(form.texts) if form else _fields(request)
        # Clients send a model too; the path decides.
        model = deployment or str(fields.get("model") or "")
        prompt = str(fields.get("prompt") or "")
        request.note(operation, model, prompt, request_id)
        retired = self._faults.settings(self.name).retired
        if model not in DEPLOYMENTS or (retired and MODELS[model].retired):
            raise _error(404, "DeploymentNotFound", _NO_DEPLOYMENT)
        if form:
            params = read_edit(form, retired=False, model_id=model)
        else:
            params = read_params({**fields, "model": model}, retired=False)
        if params.output_format == "webp":
            raise OpenAIError(
                400,
                "Invalid value: 'webp'. Supported values are: 'png' and 'jpeg'.",
                code="invalid_value",
                param="output_format",
            )
        plan = self._faults.plan(self.name, prompt)
        instead = _forced_answer(plan, request, params, request_id)
        broken_off = _forced_error(plan, request, params, request_id, at="partial")
        return self._answers.respond(
            request,
            params,
            plan,
            instead=instead,
            broken_off=None if broken_off is None else broken_off.body,
        )


def _check_key(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = request.headers.get("api-key") or (token if scheme.lower() == "bearer" else "")
    if not key or "bad" in key:
        raise _error(401, "401", _DENIED)
    return key


def _fields(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError as error:
        raise OpenAIError(400, "The request body is not valid JSON.") from error
    return dict(body) if isinstance(body, dict) else {}


def _target(request: Request) -> tuple[str | None, str]:
    """Return the deployment and the operation of the path; some have the former in the body."""
    version = request.query.get("api-version")
    if request.method == "POST":
        named = _PATH.fullmatch(request.path)
        if named is not None and version is not None and _VERSION.fullmatch(version):
            return named[1], _OPERATIONS[named[2]]
        unnamed = _V1_PATH.fullmatch(request.path)
        if unnamed is not None:
            return None, _OPERATIONS[unnamed[1]]
    raise _error(404, "404", "Resource not found")


def _error(status: int, code: str, message: str, **more: object) -> OpenAIError:
    """Make an error of Azure's front door, which has neither type nor param."""
    error = OpenAIError(status, message)
    error.body = {"error": {"code": code, "message": message, **more}}
    return error


def _too_many(request: Request, seconds: int) -> OpenAIError:
    version = request.query.get("api-version", "v1")
    error = _error(429, "429", _TOO_MANY.format(version=version, seconds=seconds))
    error.headers = {"retry-after": str(seconds), "retry-after-ms": str(seconds * 1000)}
    return error


def _forced_answer(
    plan: Plan, request: Request, params: Params, request_id: str
) -> Response | None:
    """The answer that directives demand in place of a picture."""
    if plan.find("refuse") == "filter":
        failed = {"code": "contentFilter", "message": _TASK_FAILED}
        return json_response({"created": 0, "error": failed})
    error = _forced_error(plan, request, params, request_id)
    if error is None:
        return None
    retry_after = plan.find("retry_after")
    headers = {**error.headers}
    if retry_after is not None:
        headers = {"retry-after": retry_after}
    return json_response(error.body, status=error.status, headers=headers)


def _forced_error(
    plan: Plan, request: Request, params: Params, request_id: str, *, at: str = ""
) -> OpenAIError | None:
    """The error that directives demand, at the beginning or after the first partial image."""
    refusal, status = plan.find("refuse", at=at), plan.find("status", at=at)
    if refusal is not None:
        return _refusal(params, "output" if refusal == "output" else "input", request_id)
    return None if status is None else _status_error(int(status), request)


def _status_error(status: int, request: Request) -> OpenAIError:
    match status:
        case 401:
            return _error(401, "401", _DENIED)
        case 403:
            return _error(403, "Forbidden", _BLOCKED)
        case 404:
            return _error(404, "DeploymentNotFound", _NO_DEPLOYMENT)
        case 429:
            return _too_many(request, _RETRY_S)
        case _ if status >= 500:  # noqa: PLR2004 - the class of server errors
            return OpenAIError(status, "The server had an error.", type_="server_error")
        case _:
            return OpenAIError(status, f"Request failed with status {status}.")


def _refusal(params: Params, stage: str, request_id: str) -> OpenAIError:
    if params.model.gpt:
        return OpenAIError(
            400,
            _GPT_REFUSAL.format(request_id=request_id),
            type_=USER_ERROR,
            code="moderation_blocked",
            more={"moderation_details": {"moderation_stage": stage, "categories": ["violence"]}},
        )
    filtered = {**_SAFE, "violence": {"filtered": True, "severity": "medium"}}
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_results": filtered}
    return OpenAIError(
        400,
        _DALL_E_REFUSAL,
        type_=INVALID_REQUEST,
        code="content_policy_violation",
        more={"inner_error": inner},
    )
