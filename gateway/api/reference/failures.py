"""Errors of an operation as answers of the document, made from the error classes."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from core.errors import AppError, Category
from gateway.api.errors import INTERNAL_MESSAGE, SHAPES, Shape, envelope
from gateway.api.reference.headers import header_refs
from gateway.api.reference.shapes import Schema, nullable, record, ref, text, words
from gateway.errors import ContentRefusedError, LoopDetectedError
from orgs.errors import (
    ExpiredApiKeyError,
    InsufficientScopeError,
    InvalidApiKeyError,
    IpNotAllowedError,
    MissingApiKeyError,
    RevokedApiKeyError,
)

Failure = type[AppError]

OF_A_KEY: Final[tuple[Failure, ...]] = (
    MissingApiKeyError,
    InvalidApiKeyError,
    ExpiredApiKeyError,
    RevokedApiKeyError,
    InsufficientScopeError,
    IpNotAllowedError,
)
# A refusal in the words of OpenAI's GPT image models.
PASSED_ON: Final = "moderation_blocked"

FAILURE_SCHEMAS: Final[dict[str, Schema]] = {
    "GatewayError": record("Every error, whatever its status.", {"error": ref("ErrorObject")}),
    "ErrorObject": record(
        "What is wrong. Some errors have further fields, such as `moderation_details`.",
        {
            "message": text("For people."),
            "type": words(dict.fromkeys(shape.type for shape in SHAPES.values())),
            "param": nullable(text("The field, parameter or header to blame.")),
            "code": text("For programs: stable."),
        },
        additionalProperties=True,
    ),
}


class _Case(NamedTuple):
    """One code as an operation may answer it."""

    shape: Shape
    code: str
    meaning: str
    message: str
    retryable: bool


_INTERNAL: Final = _Case(
    SHAPES[Category.INTERNAL],
    AppError.code,
    "A fault of this server. Nothing was charged.",
    INTERNAL_MESSAGE,
    retryable=True,
)


def failures(errors: Iterable[Failure], *, headers: Iterable[str] = ()) -> Schema:
    """Return an answer for each status of some errors; 500 and 508 are everywhere.

    Args:
        errors: Where several have one code, the first one describes it.
        headers: What they may carry beside what every error does.
    """
    cases: dict[int, dict[str, _Case]] = {}
    for case in (*_cases(errors), _INTERNAL, *_cases([LoopDetectedError])):
        cases.setdefault(case.shape.status, {}).setdefault(case.code, case)
    names = ("X-Should-Retry", "Retry-After", *headers)
    return {str(status): _answer(cases[status], names) for status in sorted(cases)}


def _cases(errors: Iterable[Failure]) -> Iterable[_Case]:
    for error in errors:
        meaning = (error.__doc__ or "").partition("\n\n")[0].strip()
        shape = SHAPES[error.category]
        retryable = error.retryable or error.category is Category.INTERNAL
        yield _Case(shape, error.code, meaning, meaning, retryable)
        if error is ContentRefusedError:
            yield _Case(shape, PASSED_ON, meaning, meaning, retryable)


def _answer(cases: dict[str, _Case], headers: Iterable[str]) -> Schema:
    lines = [f"- `{case.code}`: {case.meaning}" for case in cases.values()]
    return {
        "description": "\n".join(lines),
        "headers": header_refs(headers),
        "content": {
            "application/json": {
                "schema": ref("GatewayError"),
                "examples": {code: _example(case) for code, case in cases.items()},
            }
        },
        "x-codes": list(cases),
    }


def _example(case: _Case) -> Schema:
    body = envelope(case.shape, message=case.message, code=case.code, retryable=case.retryable).body
    return {"summary": case.meaning, "value": body}
