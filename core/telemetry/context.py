"""What is being worked on: the ids that every line of a log and every report carries.

Held in context variables, which each greenlet has for itself. A greenlet begins without any, so
one that goes on with its maker's work is spawned with `carry`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final, ParamSpec, TypeVar

from core.telemetry.prompts import Prompt
from core.telemetry.spans import CURRENT

P = ParamSpec("P")
T = TypeVar("T")
Fields = Mapping[str, object]

_NOTHING: Final[Fields] = MappingProxyType({})
_FIELDS: Final[ContextVar[Fields]] = ContextVar("lienzo_fields", default=_NOTHING)
_PROMPT: Final[ContextVar[Prompt | None]] = ContextVar("lienzo_prompt", default=None)


def begin(**fields: object) -> None:
    """Forget what was worked on before, and begin with these fields."""
    _FIELDS.set(fields)
    _PROMPT.set(None)


def add(**fields: object) -> None:
    """Add fields for as long as the present work lasts."""
    _FIELDS.set({**_FIELDS.get(), **fields})


@contextmanager
def working_on(**fields: object) -> Iterator[None]:
    """Add fields for a while; a prompt that becomes known meanwhile is forgotten after it, too."""
    before, prompt = _FIELDS.set({**_FIELDS.get(), **fields}), _PROMPT.set(_PROMPT.get())
    try:
        yield
    finally:
        _FIELDS.reset(before)
        _PROMPT.reset(prompt)


def conceal(prompt: object) -> None:
    """Keep a prompt, if it is text, out of every line that the present work logs."""
    _PROMPT.set(Prompt(prompt) if isinstance(prompt, str) and prompt else None)


def fields() -> Fields:
    """Return the present fields."""
    return _FIELDS.get()


def prompt() -> Prompt | None:
    """Return the prompt that must not be logged."""
    return _PROMPT.get()


def carry(work: Callable[P, T]) -> Callable[P, T]:
    """Return `work` for another greenlet, where it goes on with the present fields and span.

    Not a copy of the whole context: Django keeps its database connections there, and a greenlet
    must have its own.
    """
    present, concealed, span = _FIELDS.get(), _PROMPT.get(), CURRENT.get()

    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        _FIELDS.set(present)
        _PROMPT.set(concealed)
        CURRENT.set(span)
        return work(*args, **kwargs)

    return carried
