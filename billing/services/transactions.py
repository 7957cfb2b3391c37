"""Run money transactions again when the database, not the business, refused them."""

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")

MAX_TRIES: Final = 5
_FIRST_PAUSE_S: Final = 0.02
_SERIALIZATION_FAILURE: Final = "40001"
_DEADLOCK: Final = "40P01"
# Class 08 is "connection exception"; 57P01 to 57P03: the server is stopping, crashed or starting.
_CONNECTION_STATES: Final = ("08", "57P01", "57P02", "57P03")


def retrying(work: Callable[[], T], *, committed: Callable[[], T | None] = lambda: None) -> T:
    """Run `work`, up to five times on connection loss, deadlock and serialization failure.

    For the outermost service: inside a transaction it runs `work` once, since only the owner of
    a transaction can repeat it.

    Args:
        work: Opens its own `atomic()` block and may run more than once.
        committed: Asked before each repetition whether an earlier try was committed although its
            answer was lost, by looking up what the work books under its own key (a hold's
            reference, an entry's idempotency key). Its result, unless None, is the result.

    Raises:
        OperationalError: Still failing after five tries, or for another reason.
        InterfaceError: The connection stayed unusable.
    """
    if connection.in_atomic_block:
        return work()
    failed_before = False
    for attempt in range(1, MAX_TRIES + 1):
        try:
            if failed_before:
                result = committed()
                if result is not None:
                    return result
            return work()
        except (OperationalError, InterfaceError) as error:
            if attempt == MAX_TRIES or not _is_transient(error):
                raise
            failed_before = True
            # Closing gives a lost connection back; the next statement opens a fresh one.
            connection.close()
            time.sleep(_FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
    raise AssertionError("unreachable")


def _is_transient(error: OperationalError | InterfaceError) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:
        return True
    return state in {_SERIALIZATION_FAILURE, _DEADLOCK} or state.startswith(_CONNECTION_STATES)
