"""Holding answers of the running product against the OpenAPI document."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from jsonschema import (  # type: ignore[import-untyped] # it has none
    Draft202012Validator,
    FormatChecker,
)
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from gateway.api.reference.document import document

DOCUMENT = "urn:document"
# Headers of the transport, which the document leaves out.
TRANSPORT = frozenset(
    {
        "access-control-allow-origin",
        "allow",
        "connection",
        "content-length",
        "content-security-policy",
        "content-type",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "date",
        "referrer-policy",
        "server",
        "transfer-encoding",
        "x-accel-buffering",
        "x-content-type-options",
    }
)


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no other fields than those it names."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(item) for name, item in schema.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


_CLOSED = {**document(), "components": closed(document()["components"])}
_REGISTRY: Registry[Any] = Registry().with_resource(DOCUMENT, DRAFT202012.create_resource(_CLOSED))


def problems(value: object, schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a value, by a schema that may refer to the document's."""
    absolute = _absolute(closed(schema))
    validator = Draft202012Validator(absolute, registry=_REGISTRY, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


def path_of(url: str) -> str:
    """Return the document's path for a URL; the most literal one wins."""
    sent = urlsplit(url).path
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    for path in paths:
        if re.fullmatch(pattern_of(path), sent):
            return str(path)
    raise AssertionError(f"{sent} is not in the document")


def pattern_of(path: str) -> str:
    """Return the pattern of the URLs of one of the document's paths."""
    has_slashes = "{path}" in path or "{model_id}" in path
    return re.sub(r"{\w+}", ".+" if has_slashes else "[^/]+", path)


def expect_documented(answer: requests.Response, *, path: str = "") -> dict[str, Any]:
    """Check status, type, headers, code and body of an answer; return its response object."""
    method = str(answer.request.method).lower()
    operation = document()["paths"][path or path_of(str(answer.request.url))][method]
    where = f"{operation['operationId']} {answer.status_code}"
    assert str(answer.status_code) in operation["responses"], f"{where}: undocumented status"
    response: dict[str, Any] = operation["responses"][str(answer.status_code)]
    _check_headers(answer, response, where)
    media = answer.headers.get("Content-Type", "").partition(";")[0]
    if method == "head" or answer.status_code == 304:
        return response
    assert media in response["content"], f"{where}: undocumented type {media}"
    if media == "application/json":
        body = answer.json()
        assert problems(body, response["content"][media]["schema"]) == [], where
        if answer.status_code >= 400 and "error" in body:
            assert body["error"]["code"] in response["x-codes"], f"{where}: {body}"
    return response


def _check_headers(answer: requests.Response, response: Mapping[str, Any], where: str) -> None:
    components = document()["components"]["headers"]
    documented = {name.lower(): components[name] for name in response["headers"]}
    sent = {name.lower(): value for name, value in answer.headers.items()}
    assert set(sent) - set(documented) - TRANSPORT == set(), f"{where}: undocumented headers"
    missing = {name for name, header in documented.items() if header["required"]} - set(sent)
    assert missing == set(), f"{where}: missing headers"
    for name in set(sent) & set(documented):
        schema = documented[name]["schema"]
        value: object = int(sent[name]) if schema["type"] == "integer" else sent[name]
        assert problems(value, schema) == [], f"{where}: {name}"


def _absolute(schema: Any) -> Any:
    """Return a schema whose references lead into the document."""
    if isinstance(schema, list):
        return [_absolute(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: f"{DOCUMENT}{item}"
        if name == "$ref" and isinstance(item, str) and item.startswith("#")
        else _absolute(item)
        for name, item in schema.items()
    }
