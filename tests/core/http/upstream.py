"""A real HTTP server for tests: routes are functions, every request is kept."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

TLS = Path(__file__).with_name("tls")
PROMPTLY_S = 8.0
"""What a call may take that ends at a deadline of half a second: less than the silences and drips
of this server last, and more than a busy machine needs."""


@dataclass
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    query: str = ""

    def json(self) -> Any:
        return orjson.loads(self.body)


class Exchange:
    """One request and the means to answer it, well or badly."""

    def __init__(self, handler: "_Handler", request: Received) -> None:
        self._handler = handler
        self.request = request

    def reply(
        self, body: object = b"", *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {"Content-Length": str(len(data)), **(headers or {})}
        self.raw(_head(status, sent) + data)

    def raw(self, data: bytes) -> None:
        self._handler.wfile.write(data)

    def drip(self, data: bytes, *, every_s: float) -> None:
        for index in range(len(data)):
            self.raw(data[index : index + 1])
            time.sleep(every_s)

    def hang(self) -> None:
        self._handler.server.stopping.wait(20)
        self.drop()

    def drop(self) -> None:
        self._handler.close_connection = True


Route = Callable[[Exchange], None]


@dataclass
class Upstream:
    """What a test sees of its server."""

    url: str
    host: str
    port: int
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def on(self, method: str, path: str, route: Route) -> None:
        self.routes[method, path] = route

    def answers(self, method: str, path: str, body: object = b"", **how: Any) -> None:
        self.on(method, path, lambda exchange: exchange.reply(body, **how))

    def calls(self, method: str, path: str) -> list[Received]:
        return [one for one in self.received if (one.method, one.path) == (method, path)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    upstream: Upstream
    stopping: threading.Event

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of these tests hang up in the middle: nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        request = Received(self.command, path, headers, body, self.client_address[1], query)
        upstream = self.server.upstream
        upstream.received.append(request)
        route = upstream.routes.get((self.command, path))
        exchange = Exchange(self, request)
        if route is None:
            exchange.reply({"detail": f"Path {path} not found"}, status=404)
        else:
            route(exchange)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the tests' output clean."""


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextmanager
def serve(*, tls: bool = False) -> Iterator[Upstream]:
    """Run a server on a free port of 127.0.0.1 until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    host, port = "127.0.0.1", server.server_address[1]
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(TLS / "server.crt", TLS / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.stopping = threading.Event()
    server.upstream = Upstream(f"http{'s' if tls else ''}://{host}:{port}", host, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.upstream
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
