"""Errors of Google's APIs: google.rpc's model as JSON.

Texts are quoted from public answers, as read on 2026-11-21, but for those about Imagen's parameters
and forced statuses, which are worded alike.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sandbox.server import Response, json_response

_KINDS: Final = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED", 409: "ABORTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED",
    500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_TEXTS: Final = {
    400: "Request contains an invalid argument.",
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    429: "Resource has been exhausted (e.g. check quota).",
    499: "The operation was cancelled.",
    500: "An internal error has occurred. Please retry or report in"
    " https://developers.generativeai.google/guide/troubleshooting",
    503: "The model is overloaded. Please try again later.",
    504: "Deadline expired before operation could complete.",
}
_UNAUTHENTICATED: Final = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or"
    " other valid authentication credential. See"
    " https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_UNREGISTERED: Final = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use"
    " API Key or other form of API consumer identity to call this API."
)
_BLOCKED: Final = (
    "Image generation failed with the following error: The prompt could not be submitted. This"
    " prompt contains sensitive words that violate Google's Responsible AI practices. Try"
    " rephrasing the prompt. If you think this was an error, send feedback. Support codes: 61493863"
)
_UNBILLED: Final = (
    "Gemini API free tier is not available in your country. Please enable billing on your project"
    " in Google AI Studio."
)
_PAGE: Final = (
    "<!DOCTYPE html><html lang=en><title>Error {status}</title><p><b>{status}.</b> <ins>That&#39;s"
    " an error.</ins><p>{text} <ins>That&#39;s all we know.</ins>"
)


class GeminiError(Exception):
    """An answer other than 2xx."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        details: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, object] = {
            "code": status,
            "message": message,
            "status": kind or _KINDS.get(status, "UNKNOWN"),
        }
        if details:
            self.error["details"] = list(details)

    @property
    def response(self) -> Response:
        """The answer."""
        return json_response({"error": self.error}, status=self.status)


def page(status: int) -> Response:
    """Answer as Google's front end does, in HTML."""
    text = "The server encountered a temporary error." if status != 404 else "Not found."  # noqa: PLR2004
    body = _PAGE.format(status=status, text=text).encode()
    return Response(status, body, "text/html; charset=UTF-8")


def forced(status: int, retry_s: str | None) -> GeminiError:
    """Return the error of a status that a directive asks for."""
    if status == 401:  # noqa: PLR2004
        return unauthenticated()
    text = _TEXTS.get(status, f"Request failed with status {status}.")
    return GeminiError(status, text, details=_retry_info(retry_s))


def invalid(message: str, *, field: str | None = None) -> GeminiError:
    """Refuse an argument; `field` adds the details that a check of the JSON's shape has."""
    violations = [{"field": field, "description": message}]
    kind = "type.googleapis.com/google.rpc.BadRequest"
    return GeminiError(
        400, message, details=[{"@type": kind, "fieldViolations": violations}] if field else ()
    )


def unknown_name(name: str, where: str) -> GeminiError:
    """Refuse a field that the message does not have."""
    at = f" at '{where}'" if where else ""
    message = f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
    return invalid(message, field=where or name)


def unregistered() -> GeminiError:
    """Refuse a call without a key."""
    return GeminiError(403, _UNREGISTERED)


def bad_key() -> GeminiError:
    """Refuse an API key."""
    return GeminiError(
        400,
        "API key not valid. Please pass a valid API key.",
        details=[_info("API_KEY_INVALID")],
    )


def unauthenticated() -> GeminiError:
    """Refuse an access token."""
    return GeminiError(401, _UNAUTHENTICATED, details=[_info("ACCESS_TOKEN_TYPE_UNSUPPORTED")])


def exhausted(limit: int, retry_s: int) -> GeminiError:
    """Refuse a call above the limit of a minute."""
    quota = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
            {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel", "quotaValue": str(limit)}
        ],
    }
    message = (
        "You exceeded your current quota, please check your plan and billing details."
        f" Please retry in {retry_s}s."
    )
    return GeminiError(429, message, details=[quota, *_retry_info(str(retry_s))])


def unfunded(*, is_imagen: bool) -> GeminiError:
    """Refuse an account that cannot pay."""
    if is_imagen:
        return GeminiError(400, "Imagen API is only accessible to billed users at this time.")
    return GeminiError(400, _UNBILLED, kind="FAILED_PRECONDITION")


def blocked() -> GeminiError:
    """Refuse a prompt, as Imagen does."""
    return GeminiError(400, _BLOCKED)


def missing_model(model: str, method: str, version: str, place: str) -> GeminiError:
    """Refuse a model that is not served; `place` is "" on the Gemini API."""
    if place:
        message = (
            f"Publisher Model `{place}/models/{model}` was not found or your project does not have"
            " access to it. Please ensure you are using a valid model version."
        )
    else:
        message = (
            f"models/{model} is not found for API version {version}, or is not supported for"
            f" {method}. Call ListModels to see the list of available models and their supported"
            " methods."
        )
    return GeminiError(404, message)


def _info(reason: str) -> dict[str, object]:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }


def _retry_info(seconds: str | None) -> list[dict[str, object]]:
    if seconds is None:
        return []
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    return [{"@type": kind, "retryDelay": f"{seconds}s"}]
