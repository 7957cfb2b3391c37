"""Bad ways to send an answer."""

import gzip
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import TypeAlias

import orjson

from tests.outside.book import PNG_MAGIC, Rule, huge

PATIENCE_S = 90
ENDLESS_BYTES = 400_000_000
PAGE = b"<!doctype html><html><head><title>502</title></head><body>Bad gateway</body></html>"


@dataclass
class Reply:
    """An answer before anything happens to it."""

    body: bytes
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, status: int = 200, **headers: str) -> "Reply":
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(orjson.dumps(value), status, headers=named)


Handler: TypeAlias = BaseHTTPRequestHandler


def deliver(handler: Handler, reply: Reply, rule: Rule) -> None:
    """Send an answer as its rule wants it."""
    if rule.status:
        body = rule.body if rule.body is not None else {"error": {"message": "Failed."}}
        reply = Reply.json(body, rule.status)
        reply.headers = rule.headers
    _ACTIONS[rule.do](handler, reply, rule)


def _head(handler: Handler, reply: Reply, headers: dict[str, str]) -> None:
    handler.send_response(reply.status)
    for name, value in {"Content-Type": reply.kind, **reply.headers, **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _plain(handler: Handler, reply: Reply, _: Rule) -> None:
    _head(handler, reply, {"Content-Length": str(len(reply.body))})
    handler.wfile.write(reply.body)


def _short(handler: Handler, reply: Reply, _: Rule) -> None:
    """Announce more than is sent."""
    _head(handler, reply, {"Content-Length": str(len(reply.body) + 1000)})
    handler.wfile.write(reply.body[: len(reply.body) // 2])
    handler.close_connection = True


def _cut(handler: Handler, reply: Reply, rule: Rule) -> None:
    reply.body = reply.body[: len(reply.body) // 2]
    _plain(handler, reply, rule)


def _empty(handler: Handler, reply: Reply, rule: Rule) -> None:
    reply.body = b""
    _plain(handler, reply, rule)


def _in_chunks(handler: Handler, reply: Reply, parts: Iterator[bytes]) -> None:
    _head(handler, reply, {"Transfer-Encoding": "chunked"})
    for part in parts:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
    handler.wfile.write(b"0\r\n\r\n")


def _chunked(handler: Handler, reply: Reply, _: Rule) -> None:
    step = max(1, len(reply.body) // 7)
    starts = range(0, len(reply.body), step)
    _in_chunks(handler, reply, (reply.body[start : start + step] for start in starts))


def _chunked_short(handler: Handler, reply: Reply, _: Rule) -> None:
    """Chunks without their end."""
    _head(handler, reply, {"Transfer-Encoding": "chunked"})
    half = reply.body[: len(reply.body) // 2]
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(half), half))
    handler.close_connection = True


def _closing(handler: Handler, reply: Reply, _: Rule) -> None:
    """End the body by ending the connection."""
    _head(handler, reply, {"Connection": "close"})
    handler.wfile.write(reply.body)
    handler.close_connection = True


def _html(handler: Handler, reply: Reply, rule: Rule) -> None:
    _plain(handler, Reply(PAGE, 200, "text/html"), rule)


def _wrong_type(handler: Handler, reply: Reply, rule: Rule) -> None:
    reply.kind = "text/plain"
    _plain(handler, reply, rule)


def _zipped(handler: Handler, reply: Reply, rule: Rule) -> None:
    """Compress, for clients that asked for it."""
    if "gzip" in (handler.headers.get("Accept-Encoding") or ""):
        reply.body = gzip.compress(reply.body)
        reply.headers = {**reply.headers, "Content-Encoding": "gzip"}
    _plain(handler, reply, rule)


def _bomb(handler: Handler, reply: Reply, rule: Rule) -> None:
    reply.body = _bomb_bytes()
    reply.headers = {**reply.headers, "Content-Encoding": "gzip"}
    _plain(handler, reply, rule)


@cache
def _bomb_bytes() -> bytes:
    """Return half a megabyte that unpacks to 120 MB, more than any limit."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [packer.compress(PNG_MAGIC), *(packer.compress(bytes(1_000_000)) for _ in range(120))]
    return b"".join([*parts, packer.flush()])


def _huge(handler: Handler, reply: Reply, rule: Rule) -> None:
    reply.body = huge()
    _plain(handler, reply, rule)


def _endless(handler: Handler, reply: Reply, _: Rule) -> None:
    block = reply.body[:4096].ljust(100_000, b"A")
    _in_chunks(handler, reply, (block for _ in range(ENDLESS_BYTES // len(block))))


def _reset(handler: Handler, _: Reply, __: Rule) -> None:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True
    handler.connection.close()


def _hang(handler: Handler, _: Reply, __: Rule) -> None:
    """Say nothing until the client gives up."""
    handler.connection.settimeout(PATIENCE_S)
    handler.connection.recv(1)
    handler.close_connection = True


def _drip(handler: Handler, reply: Reply, _: Rule) -> None:
    """One byte a second."""
    _head(handler, reply, {"Content-Length": str(len(reply.body))})
    for index in range(min(PATIENCE_S, len(reply.body))):
        handler.wfile.write(reply.body[index : index + 1])
        time.sleep(1)
    handler.close_connection = True


def _drip_head(handler: Handler, _: Reply, __: Rule) -> None:
    """A status line, then an endless header."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _second in range(PATIENCE_S):
        handler.wfile.write(b"a")
        time.sleep(1)
    handler.close_connection = True


def _delay(handler: Handler, reply: Reply, rule: Rule) -> None:
    time.sleep(rule.number)
    _plain(handler, reply, rule)


def _redirect(handler: Handler, reply: Reply, rule: Rule) -> None:
    """Send the client on, `number` times or to the place in `body`."""
    target = str(rule.body) if rule.body else f"/hop/{rule.number - 1}{handler.path}"
    _plain(handler, Reply(b"", 302, "text/plain", {"Location": target}), rule)


def _upper(handler: Handler, reply: Reply, _: Rule) -> None:
    _cased(handler, reply, str.upper)


def _lower(handler: Handler, reply: Reply, _: Rule) -> None:
    _cased(handler, reply, str.lower)


def _cased(handler: Handler, reply: Reply, change: Callable[[str], str]) -> None:
    """Write the names of all headers in one case."""
    named = {"Content-Type": reply.kind, "Content-Length": str(len(reply.body)), **reply.headers}
    handler.send_response_only(reply.status)
    for name, value in named.items():
        handler.send_header(change(name), value)
    handler.end_headers()
    handler.wfile.write(reply.body)


_ACTIONS: dict[str, Callable[[Handler, Reply, Rule], None]] = {
    "": _plain,
    "short": _short,
    "cut": _cut,
    "nothing": _empty,
    "chunked": _chunked,
    "chunked_short": _chunked_short,
    "closing": _closing,
    "html": _html,
    "wrong_type": _wrong_type,
    "gzip": _zipped,
    "bomb": _bomb,
    "huge": _huge,
    "endless": _endless,
    "reset": _reset,
    "hang": _hang,
    "drip": _drip,
    "drip_head": _drip_head,
    "delay": _delay,
    "redirect": _redirect,
    "upper": _upper,
    "lower": _lower,
}
