"""A receiver of webhooks: a real HTTP server that verifies with the public library."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass
class Hook:
    """One call as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> Any:
        """Return the message; raises if the signature is not of this secret."""
        return Webhook(secret).verify(self.body, self.headers)


Answer = Callable[["_Handler"], None]


class Receiver(ThreadingHTTPServer):
    """Answers 204, or what `answers` says in turn: a status, or a function that answers."""

    daemon_threads = True

    def __init__(self, listening: socket.socket | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=listening is None)
        if listening is not None:
            self.socket.close()
            self.socket = listening
            self.server_address = listening.getsockname()
        self.hooks: list[Hook] = []
        self.answers: list[int | Answer] = []
        self.stopping = threading.Event()
        self._connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def hang_up(self) -> None:
        """End kept connections, over which later messages would come to this receiver still."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers hang up where a test lets them."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.hooks.append(Hook(self.path, headers, body))
        answer = self.server.answers.pop(0) if self.server.answers else 204
        if callable(answer):
            answer(self)
        else:
            self.say(answer)

    def say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def redirect(to: str) -> Answer:
    return lambda handler: handler.say(302, Location=to)


def hang(handler: _Handler) -> None:
    handler.server.stopping.wait(30)
    handler.close_connection = True


def endless_body(handler: _Handler) -> None:
    """Accept, with a body that never ends."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.stopping.is_set():
        handler.wfile.write(b"x" * 4096)


@contextmanager
def serving(listening: socket.socket | None = None) -> Iterator[Receiver]:
    receiver = Receiver(listening)
    thread = threading.Thread(target=receiver.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopping.set()
        receiver.shutdown()
        receiver.hang_up()
        if listening is None:
            receiver.server_close()
        thread.join(5)
