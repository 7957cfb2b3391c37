"""Headers of answers, and those that a request may carry."""

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.api.answers import RESPOND_ASYNC
from gateway.api.generating import MAX_KEY_LENGTH
from gateway.api.reference.shapes import Schema, amount, constant, currency, integer, text, words

_SPAN: Final = r"^([0-9]+m)?[0-9]+(\.[0-9]+)?(ms|s)$"


def _rate_headers() -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for name in ("Requests", "Images"):
        what = name.lower()
        found[f"X-RateLimit-Limit-{name}"] = integer(f"The nearest limit of {what} per minute.")
        found[f"X-RateLimit-Remaining-{name}"] = integer(f"How many {what} it has left.")
        found[f"X-RateLimit-Reset-{name}"] = text(
            "When all of it is free again.", pattern=_SPAN, examples=["12s", "1m0s"]
        )
    return found


RATES: Final = _rate_headers()
HEADERS: Final[Mapping[str, Schema]] = {
    "X-Request-Id": text(
        "This HTTP request. On every answer.",
        pattern="^req_[0-9a-f]{32}$",
    ),
    "X-Generation-Id": text(
        "The generation. On errors after its creation, too.", pattern="^req_[0-9a-f]{32}$"
    ),
    "X-Should-Retry": words(
        ("true", "false"), "Whether the same request may succeed later. On every error."
    ),
    "Retry-After": integer("Seconds to wait before asking again.", minimum=1),
    "X-Cost": amount("What was charged."),
    "X-Cost-Currency": currency(),
    "X-Cost-Quoted": amount("With a test key: what it would have cost."),
    "X-Images-Requested": integer("How many images were asked for."),
    "X-Images-Delivered": integer("How many images came; only these are charged."),
    "X-Served-By": text("The substitute that drew in place of a retired model, or `sandbox`."),
    "X-Image-Adjusted": text("How the image was made to fit the requested size."),
    "X-Dropped-Params": text("Fields or parameters that were ignored, at most 20."),
    "Idempotent-Replayed": constant("true"),
    "Deprecation": text("When the model retires (RFC 9745).", examples=["@1796083200"]),
    "Sunset": text("The same as a date (RFC 8594)."),
    "Location": text("Where the generation is."),
    "Preference-Applied": constant(RESPOND_ASYNC),
    "X-Next-Page": text("The `page` that follows; absent on the last."),
    "Content-Disposition": text("How a browser shows or saves it."),
    "ETag": text("Names these bytes, for `If-None-Match`."),
    "Last-Modified": text("When it was stored."),
    "Cache-Control": text("How long copies may be kept."),
    "Accept-Ranges": constant("bytes"),
    "Content-Range": text("Which bytes these are."),
    **RATES,
}
ALWAYS: Final = frozenset({"X-Request-Id", "X-Should-Retry"})

LIFECYCLE: Final = ("Deprecation", "Sunset")
COSTS: Final = ("X-Cost", "X-Cost-Currency", "X-Images-Requested", "X-Images-Delivered")
OF_A_GENERATION: Final = (
    "X-Generation-Id",
    *COSTS,
    "X-Cost-Quoted",
    "X-Served-By",
    "X-Image-Adjusted",
    "X-Dropped-Params",
    *LIFECYCLE,
)
OF_AN_ANSWER: Final = (*OF_A_GENERATION, "Idempotent-Replayed", *RATES)

IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "For 24 hours the same key with the same request gives the same answer, and"
    " one charge; with another request 409. A failure that may be retried frees the key.",
    "schema": text(minLength=1, maxLength=MAX_KEY_LENGTH),
}
CLIENT_REQUEST_ID: Final[Schema] = {
    "name": "X-Client-Request-Id",
    "in": "header",
    "description": "Your own mark. Kept with the generation, and a filter of the list.",
    "schema": text(),
}
PREFER: Final[Schema] = {
    "name": "Prefer",
    "in": "header",
    "description": f"`{RESPOND_ASYNC}` answers 202 at once (RFC 7240).",
    "schema": text(examples=[RESPOND_ASYNC]),
}


def header_refs(names: Iterable[str]) -> Schema:
    """Return the headers of an answer, `X-Request-Id` among them, as references."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def header_components() -> Schema:
    """Return the headers as components of the document."""
    return {name: _component(name, schema) for name, schema in HEADERS.items()}


def _component(name: str, schema: Schema) -> Schema:
    bare = {key: value for key, value in schema.items() if key != "description"}
    described = {"description": schema["description"]} if "description" in schema else {}
    return {**described, "required": name in ALWAYS, "schema": bare}
