"""Checks of query strings, which reach `gateway.parameters.fields` as bodies of strings."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from gateway.errors import InvalidRequestError
from gateway.parameters.fields import Body, text_field, wrong_type

# The year 3000: beyond it an instant has left what calendars and time zones say.
LAST_INSTANT_S: Final = 32_503_680_000
_DIGITS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


def read_query(
    pairs: Iterable[tuple[str, Sequence[str]]], known: Collection[str]
) -> tuple[Body, tuple[str, ...]]:
    """Return the known parameters and the names of the others, which are ignored.

    Raises:
        InvalidRequestError: A known one is empty, or given more than once.
    """
    found: dict[str, str] = {}
    ignored: list[str] = []
    for name, values in pairs:
        if name not in known:
            ignored.append(name)
            continue
        if len(values) > 1:
            raise InvalidRequestError(f"`{name}` is given more than once.", param=name)
        if not values[0]:
            raise InvalidRequestError(f"`{name}` is empty.", param=name)
        found[name] = values[0]
    return found, tuple(ignored)


def number_parameter(query: Body, name: str, *, low: int, high: int) -> int | None:
    """Return a whole number within inclusive limits; None if the parameter is absent.

    Raises:
        InvalidRequestError: It is anything else.
    """
    text = text_field(query, name)
    if text is None:
        return None
    if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
        raise wrong_type(name, f"a whole number between {low} and {high}")
    return int(text)


def instant_parameter(query: Body, name: str) -> datetime | None:
    """Return an instant sent in Unix seconds; None if the parameter is absent.

    Raises:
        InvalidRequestError: It is anything else.
    """
    seconds = number_parameter(query, name, low=0, high=LAST_INSTANT_S)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
