"""One call of the API as the document tells of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.api.reference.failures import OF_A_KEY, Failure, failures
from gateway.api.reference.headers import header_refs
from gateway.api.reference.shapes import Schema, ref, text

JSON: Final = "application/json"
SECURITY: Final = "apiKey"

PATH_PARAMETERS: Final[Mapping[str, Schema]] = {
    "generation_id": text("A generation.", pattern="^req_[0-9a-f]{32}$"),
    "model_id": text("A model; its slash may be sent as it is or as `%2F`."),
    "webhook": text("A webhook.", pattern="^wh_[0-9a-f]{32}$"),
    "delivery": text("A delivery.", pattern="^whd_[0-9a-f]{32}$"),
    "path": text("`{organization}/{generation}/{n}.{ext}`; its slashes are sent as they are."),
    "name": text("A file of the page."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        scope: What the key must be allowed; None where no key is asked for.
        body: The name of the body's schema.
        media: The body's media type.
        answers: OpenAPI's response objects of success, by status.
        errors: What it may answer beside what every call with a key does.
        error_headers: What its errors may carry beside what every error does.
    """

    id: str
    tag: str
    summary: str
    description: str = ""
    scope: str | None = None
    parameters: tuple[Schema, ...] = ()
    body: str | None = None
    media: str = JSON
    examples: Mapping[str, object] = field(default_factory=dict)
    answers: Mapping[int, Schema]
    errors: tuple[Failure, ...] = ()
    error_headers: tuple[str, ...] = ()

    def as_openapi(self, path: str) -> Schema:
        """Return OpenAPI's operation object at a path."""
        operation: Schema = {
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": self._description(),
            "security": [{SECURITY: []}] if self.scope else [],
        }
        parameters = [*_path_parameters(path), *self.parameters]
        if parameters:
            operation["parameters"] = parameters
        if self.body:
            content: Schema = {"schema": ref(self.body)}
            if self.examples:
                content["examples"] = {
                    name: {"value": value} for name, value in self.examples.items()
                }
            operation["requestBody"] = {"required": True, "content": {self.media: content}}
        errors = (*self.errors, *OF_A_KEY) if self.scope else self.errors
        operation["responses"] = {
            **{str(status): response for status, response in self.answers.items()},
            **failures(errors, headers=self.error_headers),
        }
        return operation

    def _description(self) -> str:
        needs = f"Needs a key with the scope `{self.scope}`." if self.scope else "Needs no key."
        return f"{self.description}\n\n{needs}".strip()


def answer(
    description: str,
    schema: Schema | None = None,
    *,
    media: str = JSON,
    headers: Iterable[str] = (),
    more: Mapping[str, Schema] | None = None,
) -> Schema:
    """Return OpenAPI's response object; `more` are further media types with their schemas."""
    response: Schema = {"description": description, "headers": header_refs(headers)}
    content = {media: {"schema": schema}} if schema is not None else {}
    content |= {name: {"schema": other} for name, other in (more or {}).items()}
    if content:
        response["content"] = content
    return response


def query(name: str, description: str, schema: Schema, **more: object) -> Schema:
    """Return a parameter of the query string."""
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def _path_parameters(path: str) -> list[Schema]:
    names = re.findall(r"{(\w+)}", path)
    return [
        {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}
        for name in names
    ]
