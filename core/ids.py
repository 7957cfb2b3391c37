"""Identifiers."""

from uuid import UUID, uuid4

REQUEST_PREFIX = "req_"
QUOTE_PREFIX = "quote_"


def new_uuid() -> UUID:
    """Return a random (version 4) UUID: ids stand in public URLs and must not be guessable."""
    return uuid4()


def request_id(value: UUID) -> str:
    """Return the public form of a request's UUID: `req_` and 32 hex digits."""
    return REQUEST_PREFIX + value.hex


def parse_request_id(text: str) -> UUID | None:
    """Return the UUID of a public request id, or None if `text` is not one."""
    return parse_id(text, REQUEST_PREFIX)


def quote_id(value: UUID) -> str:
    """Return the public form of a quote's UUID: `quote_` and 32 hex digits."""
    return QUOTE_PREFIX + value.hex


def parse_quote_id(text: str) -> UUID | None:
    """Return the UUID of a public quote id, or None if `text` is not one."""
    return parse_id(text, QUOTE_PREFIX)


def parse_id(text: str, prefix: str) -> UUID | None:
    """Return the UUID of a public id: a prefix and 32 hex digits; None if `text` is not one."""
    digits = text.removeprefix(prefix)
    if digits == text or len(digits) != 32:  # noqa: PLR2004
        return None
    try:
        return UUID(hex=digits)
    except ValueError:
        return None
