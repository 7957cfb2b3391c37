import time

import pytest

from core.http.client import HttpClient
from core.http.errors import BodyTooLarge, ReadFailed, TimedOut
from core.http.events import LARGE_BYTES, read_events
from tests.core.http.upstream import PROMPTLY_S, Upstream

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(body: bytes, *, step: int = 7, limit: int = 1_000_000, on_large=lambda: None):
    chunks = iter([body[start : start + step] for start in range(0, len(body), step)])
    events = read_events(lambda: next(chunks, b""), limit=limit, on_large=on_large)
    return [(event.name, event.data) for event in events]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_events_are_read_however_they_are_cut(step, end):
    lines = [
        b": hello", b"", b"event: a", b"data: {", b"data:  1}", b"id: 7", b"", b"data", b"",
        b"data:2", b"", b"retry: 9", b"", b"event: c", b"data: cut off",
    ]  # fmt: skip

    assert read(end.join(lines), step=step) == [("a", b"{\n 1}"), ("", b""), ("", b"2")]


def test_large_events_are_told_of_once_each_before_they_are_read():
    told = []
    large = b"data: " + b"x" * (3 * LARGE_BYTES) + b"\n\n"

    events = read(
        b"data: small\n\n" + large + large,
        step=LARGE_BYTES // 2,
        on_large=lambda: told.append(1),
    )

    assert [len(data) for _, data in events] == [5, 3 * LARGE_BYTES, 3 * LARGE_BYTES]
    assert len(told) == 2


@pytest.mark.parametrize("body", [b"data: " + b"x" * 3000, b"data: xxxx\n" * 300])
def test_too_large_an_event_is_not_kept(body):
    with pytest.raises(BodyTooLarge):
        read(body, limit=1000)


def test_events_come_while_the_answer_goes_on(upstream: Upstream, client: HttpClient):
    def slow(exchange):
        exchange.raw(HEAD + chunk(b"data: 1\n\n"))
        exchange.hang()

    upstream.on("POST", "/x", slow)
    with client.open("POST", f"{upstream.url}/x", deadline=time.monotonic() + 20) as answer:
        event = next(answer.read_events(limit=100, on_large=lambda: None))

    assert event.data == b"1"


def test_events_end_at_the_deadline_however_they_drip(upstream: Upstream, client: HttpClient):
    def drip(exchange):
        exchange.raw(HEAD)
        for _ in range(200):
            exchange.raw(chunk(b": -\n"))
            time.sleep(0.05)

    upstream.on("POST", "/x", drip)
    deadline = time.monotonic() + 0.5
    with (
        client.open("POST", f"{upstream.url}/x", deadline=deadline) as answer,
        pytest.raises(TimedOut) as late,
    ):
        list(answer.read_events(limit=100, on_large=lambda: None))

    assert late.value.processed
    assert time.monotonic() < deadline + PROMPTLY_S


def test_a_cut_connection_is_told(upstream: Upstream, client: HttpClient):
    def cut(exchange):
        exchange.raw(HEAD + chunk(b"data: 1\n\n") + b"ff\r\ndata: 2")
        exchange.drop()

    upstream.on("POST", "/x", cut)
    with client.open("POST", f"{upstream.url}/x", deadline=time.monotonic() + 20) as answer:
        events = answer.read_events(limit=100, on_large=lambda: None)
        assert next(events).data == b"1"
        with pytest.raises(ReadFailed):
            next(events)
