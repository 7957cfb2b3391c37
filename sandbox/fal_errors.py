"""Error answers of fal: of the gateway before a request is queued, of the platform, of a run.

Sources: the public documentation of the error types, the server toolkit and bodies quoted in
public issues, all read 2026-11-21.
"""

from dataclasses import replace
from typing import Final

from sandbox.fal_endpoints import Problem, problem
from sandbox.faults import Plan
from sandbox.server import Request, Response, json_response

# These come from the gateway before a request is queued; every other status from the run.
_GATEWAY: Final = {
    "401": "No user found for Key ID and Secret",
    "403": 'User is not authorized to access application "{app}"',
    "404": 'Application "{alias}" not found',
    "408": "Request timed out",
    "429": "Too many requests. Slow down.",
}
SUBMIT_STATUSES: Final = frozenset(_GATEWAY)
_PLATFORM: Final = {
    499: ("client_cancelled", "Request was cancelled by the client"),
    502: ("runner_incomplete_response", "Runner returned an incomplete response"),
    503: ("runner_scheduling_failure", "Failed to schedule a runner for the request"),
}
_MODEL: Final = {
    400: ("downstream_service_error", "The downstream service returned an error"),
    422: ("value_error", "The request could not be processed"),
    500: ("internal_server_error", "An internal server error occurred"),
    504: ("generation_timeout", "The generation did not finish in time"),
}
_AUTH: Final = (
    'Cannot access application "{app}". Authentication is required to access this application.'
)
_LOCKED: Final = (
    "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
)
REFUSAL: Final = (
    "The content could not be processed because it contained material flagged by a content checker."
)


def forced_submit(plan: Plan, app: str) -> Response | None:
    """What directives make the gateway answer in place of a queue ticket."""
    if plan.find("unfunded"):
        return plain(403, _LOCKED)
    status = plan.find("status", at="submit")
    usual = plan.find("status")
    if status is None and usual in SUBMIT_STATUSES:
        status = usual
    if status is None:
        return None
    if status not in _GATEWAY:
        return failure(int(status), plan)
    error_type = "request_timeout" if status == "408" else None
    detail = _GATEWAY[status].format(app=app, alias=app.split("/")[1])
    return _retry_after(plain(int(status), detail, error_type), plan)


def failure(status: int, plan: Plan) -> Response:
    """The failure of a run or of the platform, retryable as the real one says."""
    if status in _MODEL:
        error_type, message = _MODEL[status]
        response = json_response({"detail": [problem(error_type, [], message)]}, status=status)
    else:
        error_type, message = _PLATFORM.get(status, ("internal_error", "Internal error"))
        response = plain(status, message, error_type)
    retryable = "true" if status >= 500 else "false"  # noqa: PLR2004 - the class of server errors
    headers = {"x-fal-error-type": error_type, "x-fal-retryable": retryable}
    return _retry_after(replace(response, headers=headers), plan)


def invalid(problems: list[Problem], *, units: str) -> Response:
    """The 422 of a run; `units` is what it is billed for."""
    headers = {
        "x-fal-error-type": str(problems[0]["type"]),
        "x-fal-retryable": "false",
        "x-fal-billable-units": units,
    }
    return json_response({"detail": problems}, status=422, headers=headers)


def plain(status: int, detail: str, error_type: str | None = None) -> Response:
    """A platform-level answer: one sentence and, where fal gives one, its type."""
    if error_type is None:
        return json_response({"detail": detail}, status=status)
    payload = {"detail": detail, "error_type": error_type}
    return json_response(payload, status=status, headers={"x-fal-error-type": error_type})


def _retry_after(response: Response, plan: Plan) -> Response:
    seconds = plan.find("retry_after")
    if seconds is None:
        return response
    return replace(response, headers={**response.headers, "retry-after": seconds})


def check_key(request: Request, app: str) -> Response | None:
    """Return the 401 of a call without a usable key; any key passes unless it contains `bad`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "key" or not key.strip():
        return plain(401, _AUTH.format(app=app))
    if "bad" in key:
        return plain(401, _GATEWAY["401"])
    return None
