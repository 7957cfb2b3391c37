"""Spans of traces: what took how long, of one request, over all processes.

    with span("settle") as settling:
        settling.set("lienzo.images", 2)

Without a tracer, which `core.telemetry.tracing` sets where tracing is switched on, each of these
costs a fraction of a microsecond. Names and attributes never hold a prompt, a key or an address
with a query; of an exception only its class is told.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from types import TracebackType
from typing import Final, Protocol, Self

Value = str | int | float | bool
Attributes = Mapping[str, Value]


class SpanKind(Enum):
    """What a span is to the processes around it, as OpenTelemetry has it."""

    INTERNAL = auto()
    SERVER = auto()
    CLIENT = auto()
    PRODUCER = auto()
    CONSUMER = auto()


class Span:
    """A span that is not recorded, and what all others do as well. A context manager.

    Attributes:
        entry: The span with which the trace came into this process; what other processes do for
            this request hangs below it.
    """

    __slots__ = ()

    @property
    def entry(self) -> "Span":
        """Return the span with which the trace came into this process."""
        return self

    @property
    def traceparent(self) -> str:
        """Return the span as W3C's header of that name has it; empty if it is not recorded."""
        return ""

    @property
    def trace_id(self) -> str | None:
        """Return the trace's id in hex digits; None if it is not recorded."""
        return None

    def set(self, name: str, value: Value | None) -> None:
        """Set an attribute; None leaves it out."""

    def rename(self, name: str) -> None:
        """Give the span another name."""

    def note(self, event: str) -> None:
        """Note the instant of something that happened within."""

    def fail(self, kind: str) -> None:
        """Say that what it stands for failed; `kind` is a class or a code."""

    def end(self, *, at_ns: int | None = None) -> None:
        """End a span that was not entered."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the span."""


class Tracer(Protocol):
    """Makes spans that are recorded."""

    sends_traceparent: bool

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes | None,
        *,
        parent: Span | Mapping[str, str] | None,
        link: str,
        started_ns: int | None,
    ) -> Span:
        """Return a new span: below another, below one of another process by its headers, or first.

        Args:
            name: Of few different ones.
            kind: What it is to others.
            attributes: To begin with.
            parent: A span of this process, or headers.
            link: A `traceparent` that is only pointed to; empty for none.
            started_ns: Of the clock since 1970, where it has begun before now.
        """
        ...


@dataclass(slots=True)
class Tracing:
    """Whether and how this process traces."""

    tracer: Tracer | None = None


NOTHING: Final = Span()
# In a greenlet of its own, see `core.telemetry.context.carry`.
CURRENT: Final[ContextVar[Span]] = ContextVar("lienzo_span", default=NOTHING)


@cache
def tracing() -> Tracing:
    """Return this process's tracing."""
    return Tracing()


def is_tracing() -> bool:
    """Return whether spans are made at all."""
    return tracing().tracer is not None


def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    started_ns: int | None = None,
) -> Span:
    """Return a new span below the present one; nothing that begins by itself is traced."""
    tracer = tracing().tracer
    if tracer is None:
        return NOTHING
    parent = CURRENT.get()
    if parent is NOTHING:
        return NOTHING
    return tracer.start(name, kind, attributes, parent=parent, link="", started_ns=started_ns)


def entry_span(
    name: str,
    kind: SpanKind,
    attributes: Attributes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    link: str = "",
    started_ns: int | None = None,
) -> Span:
    """Return the span with which a trace comes into this process, or begins in it.

    Args:
        name: Of few different ones.
        kind: What it is to others.
        attributes: To begin with.
        headers: `traceparent`, and `tracestate` if there is one, of whoever asked for it, to
            go on with its trace.
        link: The `traceparent` of somebody whose trace is only pointed to.
        started_ns: Of the clock since 1970, where it has begun before now.
    """
    tracer = tracing().tracer
    if tracer is None:
        return NOTHING
    return tracer.start(
        name, kind, attributes, parent=headers or None, link=link, started_ns=started_ns
    )


def traceparent() -> str:
    """Return what another process needs to go on with the present trace; empty without one."""
    return CURRENT.get().entry.traceparent


def outgoing_headers(present: Span) -> Mapping[str, str]:
    """Return what a call to a provider carries of the trace: nothing, unless told to."""
    tracer = tracing().tracer
    if tracer is None or not tracer.sends_traceparent or not present.traceparent:
        return {}
    return {"traceparent": present.traceparent}
