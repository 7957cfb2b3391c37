"""Checks of single fields of a decoded JSON body."""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal

from gateway.errors import InvalidRequestError

Body = Mapping[str, object]

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
_SHOWN_CHARACTERS = 80


def text_field(body: Body, name: str, *, max_length: int | None = None) -> str | None:
    """Return a string that can be stored and sent; None if the field is absent.

    Raises:
        InvalidRequestError: It is no string, too long, or has a NUL or a lone surrogate.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(name, "a string")
    if max_length is not None and len(value) > max_length:
        raise InvalidRequestError(
            f"`{name}` has {len(value)} characters; the limit is {max_length}.", param=name
        )
    if _NOT_TEXT.search(value):
        raise InvalidRequestError(
            f"`{name}` has a NUL or an unpaired surrogate, which is not text.", param=name
        )
    return value


def word_field(body: Body, name: str, allowed: Collection[str]) -> str | None:
    """Return one of a few words; None if the field is absent.

    Raises:
        InvalidRequestError: It is anything else.
    """
    value = text_field(body, name)
    if value is None or value in allowed:
        return value
    raise not_one_of(name, value, allowed)


def int_field(body: Body, name: str, *, low: int, high: int) -> int | None:
    """Return an integer within inclusive limits; None if the field is absent.

    Raises:
        InvalidRequestError: It is anything else; true and 1.0 are not integers.
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "an integer")
    if not low <= value <= high:
        limits = f"between {low} and {high}" if low < high else f"{low}"
        raise InvalidRequestError(f"`{name}` must be {limits}.", param=name)
    return value


def bool_field(body: Body, name: str) -> bool | None:
    """Return true or false; None if the field is absent.

    Raises:
        InvalidRequestError: It is anything else.
    """
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise wrong_type(name, "true or false")


def amount_field(body: Body, name: str) -> Decimal | None:
    """Return an amount of money sent as a decimal string; None if the field is absent.

    Raises:
        InvalidRequestError: It is anything else, a JSON number included.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise InvalidRequestError(
            f'`{name}` must be a decimal string with at most 6 decimals, such as "0.84".',
            param=name,
        )
    return Decimal(value)


def not_one_of(name: str, value: str, allowed: Collection[str]) -> InvalidRequestError:
    """Say which values a field takes."""
    shown = value[:_SHOWN_CHARACTERS].encode("ascii", "backslashreplace").decode()
    words = ", ".join(f"'{word}'" for word in allowed)
    return InvalidRequestError(
        f"Invalid value for `{name}`: '{shown}'. Supported values are: {words}.", param=name
    )


def wrong_type(name: str, kind: str) -> InvalidRequestError:
    """Say which JSON type a field takes."""
    return InvalidRequestError(f"`{name}` must be {kind}.", param=name)
