"""The OpenAPI document: paths from the URL configuration, what they do from `operations`."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import orjson
from django.conf import settings
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator

from gateway.api.reference.failures import OF_A_KEY
from gateway.api.reference.headers import header_components
from gateway.api.reference.operation import JSON, SECURITY, Operation
from gateway.api.reference.operations import OPERATIONS, TAGS
from gateway.api.reference.schemas import schemas
from gateway.api.reference.schemas.webhooks import DATA_SCHEMAS, message
from gateway.api.reference.shapes import Schema, text

URLS: Final = "gateway.api.urls"
_DESCRIPTION: Final = """\
OpenAI's Images API for every image model, with additions. What OpenAI's clients send and read works
as it is; change `base_url` and `api_key`. Amounts are decimal strings in units of the currency.

Every error has the body `GatewayError` and says in `X-Should-Retry` whether the same request may
succeed later. A method that a path does not take is 405 `method_not_allowed`, an unknown path 404
`not_found`. No error is charged.
"""
_SIGNED: Final[Mapping[str, Schema]] = {
    "webhook-id": text("The same for every try of an event.", pattern="^evt_[0-9a-f]{32}$"),
    "webhook-timestamp": text("When this call was made, in Unix seconds."),
    "webhook-signature": text("One signature for each secret in use.", pattern="^v1,"),
}

View = Callable[..., object]


class UndescribedError(Exception):
    """A view or one of its methods has no operation."""


class _Endpoints(EndpointEnumerator):
    """Every path of the API, whether REST framework serves it or not."""

    def get_api_endpoints(self, patterns: object = None, prefix: str = "") -> list[Any]:
        """Return path, pattern, method and view of each, in the order of the URL configuration."""
        found: Any = super()
        return list(found._get_api_endpoints(patterns, prefix))  # noqa: SLF001 - of the same class

    def should_include_endpoint(self, path: str, callback: View) -> bool:
        """Include all."""
        return True

    def get_allowed_methods(self, callback: View) -> list[str]:
        """Return the methods that a view handles; of a function those that are described."""
        view = _class_of(callback)
        if view is None:
            return [method.upper() for method in _described(callback)]
        found = (name for name in view.http_method_names if name not in {"options", "head"})
        return [name.upper() for name in found if hasattr(view, name)]


class _Generator(SchemaGenerator):
    """Makes the document's frame, and looks for operations of one name."""

    def parse(self, input_request: object, public: bool) -> Schema:  # noqa: FBT001 - as overridden
        """Return the paths with their operations."""
        enumerator: Any = _Endpoints(None, URLS)
        paths: dict[str, dict[str, object]] = {}
        for path, _, method, callback in enumerator.get_api_endpoints():
            operation = _operation(callback, method.lower())
            paths.setdefault(path, {})[method.lower()] = operation.as_openapi(path)
        return dict(paths)


@cache
def document() -> Mapping[str, Any]:
    """Return the document. Built once in each process.

    Raises:
        UndescribedError: A view is not described.
    """
    # drf-spectacular's functions have no types.
    generator: Any = _Generator
    result: dict[str, Any] = generator().get_schema(public=True)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lienzo",
            "version": settings.VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        # Of wherever the document came from.
        "servers": [{"url": "/"}],
        "security": [{SECURITY: []}],
        "tags": [{"name": name, "description": what} for name, what in TAGS.items()],
        "paths": result["paths"],
        "webhooks": {kind: {"post": _webhook(kind)} for kind in DATA_SCHEMAS},
        "components": {
            "schemas": dict(schemas()),
            "headers": header_components(),
            "securitySchemes": {
                SECURITY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`lz_sk_live_…`; `lz_sk_test_…` draws in the sandbox, free of"
                    f" charge. A key may be limited, and is then refused: {_codes()}.",
                }
            },
        },
    }


@cache
def document_bytes() -> bytes:
    """Return the document as it is served."""
    return orjson.dumps(document())


def _operation(callback: View, method: str) -> Operation:
    operation = _described(callback).get(method)
    if operation is None:
        raise UndescribedError(f"{_name_of(callback)} has no operation for {method}")
    return operation


def _described(callback: View) -> Mapping[str, Operation]:
    return OPERATIONS.get(_name_of(callback), {})


def _class_of(callback: View) -> Any:  # noqa: ANN401 - Django's and REST framework's views share no base
    return getattr(callback, "cls", None) or getattr(callback, "view_class", None)


def _name_of(callback: View) -> str:
    return str((_class_of(callback) or callback).__name__)


def _codes() -> str:
    return ", ".join(f"`{error.code}`" for error in OF_A_KEY)


def _webhook(kind: str) -> Schema:
    name = "".join(part.capitalize() for part in kind.replace("_", ".").split("."))
    return {
        "operationId": f"on{name}",
        "tags": ["Webhooks"],
        "summary": f"`{kind}`",
        "description": "Sent to your URL, signed as Standard Webhooks has it. May come twice.",
        "security": [],
        "parameters": [
            {"name": header, "in": "header", "required": True, "schema": schema}
            for header, schema in _SIGNED.items()
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": message(kind)}}},
        "responses": {
            "2XX": {"description": "Accepted. The body is not looked at."},
            "410": {"description": "Switches the webhook off."},
            "default": {"description": "Tried again, for 24 hours."},
        },
    }
