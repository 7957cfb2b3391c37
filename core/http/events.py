"""Reading a stream of server-sent events (WHATWG HTML, section 9.2) as it arrives."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from core.http.errors import BodyTooLarge

LARGE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name, "" if it has none, and its data."""

    name: str
    data: bytes = field(repr=False)


def read_events(
    read_chunk: Callable[[], bytes], *, limit: int, on_large: Callable[[], None]
) -> Iterator[ServerEvent]:
    """Yield the events of a body; one that its end cuts off is dropped, as the standard says.

    Between two events only what has arrived of the next one is in memory. Lines end in LF or CRLF;
    a CR alone, which the standard knows as well, ends none.

    Args:
        read_chunk: Returns what has arrived, at least a byte; nothing at the end.
        limit: Bytes of one line.
        on_large: Called before more than 64 KiB of a line are read, at most once for each.

    Raises:
        BodyTooLarge: A line, or the data of one event, is longer than `limit`.
    """
    name, data = "", io.BytesIO()
    for line in _lines(read_chunk, limit=limit, on_large=on_large):
        if not line:
            if data.tell():
                # The last line's end does not belong to the data.
                data.truncate(data.tell() - 1)
                yield ServerEvent(name, data.getvalue())
            name, data = "", io.BytesIO()
            continue
        label, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if label == b"event":
            name = value.decode("utf-8", "replace")
        elif label == b"data":
            if data.tell() + len(value) > limit:
                raise BodyTooLarge(f"an event has more than {limit} bytes")
            data.write(value)
            data.write(b"\n")


def _lines(
    read_chunk: Callable[[], bytes], *, limit: int, on_large: Callable[[], None]
) -> Iterator[bytes]:
    """Yield lines without their ends; the rest after the last end is dropped."""
    line = io.BytesIO()
    is_large = False
    while chunk := read_chunk():
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line.write(part)
            whole = line.getvalue().removesuffix(b"\r")
            line, is_large = io.BytesIO(), False
            yield whole
        line.write(rest)
        if line.tell() > limit:
            raise BodyTooLarge(f"a line has more than {limit} bytes")
        if line.tell() > LARGE_BYTES and not is_large:
            is_large = True
            on_large()
