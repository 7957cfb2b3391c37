"""Rounds over many items, none of which may keep the others waiting."""

import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection

from core.errors import AppError

Item = TypeVar("Item")
# What a broken row, or an answer that is not as documented, raises where nothing expects it.
_BREAKS_ONE: Final = (
    AppError,
    DatabaseError,
    ObjectDoesNotExist,
    LookupError,
    TypeError,
    ValueError,
)
logger = logging.getLogger(__name__)


def in_turn(items: Sequence[Item], *, until: float) -> Iterator[Item]:
    """Yield items while there is time, in an order of chance: none that hangs is always first.

    Args:
        items: All of them, or the round would not reach some.
        until: `time.monotonic()` value after which none is begun.
    """
    for item in random.sample(items, len(items)):
        if time.monotonic() >= until:
            return
        yield item


@contextmanager
def isolated(kind: str, **names: object) -> Iterator[None]:
    """Log what breaks the work on one item, and go on behind it.

    Args:
        kind: What it is, the first word of the line.
        names: Which one, for the log.
    """
    try:
        yield
    except _BREAKS_ONE:
        which = " ".join(f"{name}={value}" for name, value in names.items())
        logger.exception("%s.item_failed %s", kind, which)
        if not connection.in_atomic_block:
            # A connection that is broken would break the next item, too.
            connection.close()
