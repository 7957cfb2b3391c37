"""Calls without a key: stored images, probes, and the reference itself."""

from typing import Final

from gateway.api.reference.operation import Operation, answer
from gateway.api.reference.shapes import Schema, ref, text
from gateway.errors import InvalidRequestError, NotFoundError, ProviderUnavailableError
from gateway.images import CONTENT_TYPES

_TAG: Final = "Server"
_BYTES: Final[Schema] = {}
_CACHED: Final = ("ETag", "Cache-Control")
_OBJECT: Final = (*_CACHED, "Last-Modified", "Accept-Ranges", "Content-Disposition")
_TYPES: Final = dict.fromkeys(CONTENT_TYPES.values(), _BYTES)


def _not_satisfiable() -> Schema:
    """Return the one answer whose status no category of errors has."""
    found = answer(
        f"- `{InvalidRequestError.code}`: No such bytes.",
        ref("GatewayError"),
        headers=("X-Should-Retry", "Cache-Control", "Content-Range"),
    )
    return {**found, "x-codes": [InvalidRequestError.code]}


def _image(name: str, summary: str, *, has_body: bool) -> Operation:
    more = _TYPES if has_body else None
    answers = {
        200: answer("The image.", headers=_OBJECT, more=more),
        304: answer("It is as `If-None-Match` knows it.", headers=_CACHED),
    }
    if has_body:
        part = (*_OBJECT, "Content-Range")
        answers[206] = answer("The part that `Range` asks for.", headers=part, more=more)
        answers[416] = _not_satisfiable()
    return Operation(
        id=name,
        tag=_TAG,
        summary=summary,
        description="Passed through from storage, for installations whose S3 is not public.",
        answers=answers,
        errors=(NotFoundError, ProviderUnavailableError),
        error_headers=("Cache-Control",),
    )


PUBLIC_OPERATIONS: Final = {
    "public_image": {
        "get": _image("getStoredImage", "Get a stored image", has_body=True),
        "head": _image("headStoredImage", "Look at a stored image", has_body=False),
    },
    "HealthView": {
        "get": Operation(
            id="getHealth",
            tag=_TAG,
            summary="Is the process alive?",
            answers={200: answer("It is.", ref("Health"))},
        )
    },
    "ReadinessView": {
        "get": Operation(
            id="getReadiness",
            tag=_TAG,
            summary="Can it serve?",
            description="Whether PostgreSQL is reachable, migrated and priced.",
            answers={
                200: answer("It can.", ref("Health")),
                503: answer("It cannot.", ref("Health")),
            },
        )
    },
    "DocumentView": {
        "get": Operation(
            id="getDocument",
            tag=_TAG,
            summary="This document",
            answers={
                200: answer("OpenAPI 3.1.", {"type": "object"}, headers=_CACHED),
                304: answer("It is as `If-None-Match` knows it.", headers=_CACHED),
            },
        )
    },
    "PageView": {
        "get": Operation(
            id="getPage",
            tag=_TAG,
            summary="This document as a page",
            answers={200: answer("HTML.", text(), media="text/html", headers=_CACHED)},
        )
    },
    "AssetView": {
        "get": Operation(
            id="getPageFile",
            tag=_TAG,
            summary="A file of the page",
            answers={
                200: answer(
                    "The file.",
                    headers=_CACHED,
                    more=dict.fromkeys(("text/css", "text/javascript", "image/png"), _BYTES),
                ),
                304: answer("It is as `If-None-Match` knows it.", headers=_CACHED),
            },
            errors=(NotFoundError,),
            error_headers=("Cache-Control",),
        )
    },
    "GuideView": {
        "get": Operation(
            id="getGuide",
            tag=_TAG,
            summary="The API and its models in plain text",
            answers={200: answer("Markdown.", text(), media="text/plain", headers=_CACHED)},
        )
    },
}
