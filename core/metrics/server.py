"""A small HTTP server on threads of the operating system, whatever gevent has patched.

It answers while the process's greenlets or its main loop stand still, for that is what it is asked.
Hence sockets, threads and sleep as they are without gevent; nothing here waits on a patched lock,
and nothing logs.
"""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from gevent.monkey import get_original

TEXT: Final = "text/plain; charset=utf-8"
# As many may ask at the same time: a slow page holds up no other.
_THREADS: Final = 4
_BACKLOG: Final = 16
_CALLER_TIMEOUT_S: Final = 5.0
_LONGEST_HEAD: Final = 8192
_TRY_AGAIN_S: Final = 5.0
_REASONS: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed"}

_start_thread: Final = get_original("_thread", "start_new_thread")
_sleep: Final = get_original("time", "sleep")
_Socket: Final = get_original("socket", "socket")


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    body: bytes
    status: int = 200
    content_type: str = TEXT


class MetricsServer:
    """Serves pages, each by the function that makes it, which must not raise."""

    def __init__(self, host: str, port: int, pages: Mapping[str, Callable[[], Page]]) -> None:
        self._address = (host, port)
        self._pages = pages
        self._listener: Any = None

    def start(self) -> bool:
        """Begin to serve; False if the port is taken: then it is tried again every few seconds."""
        is_bound = self._bind()
        _start_thread(self._serve, ())
        return is_bound

    def close(self) -> None:
        """Close the listening socket, as a forked process does with its parent's."""
        if self._listener is not None:
            self._listener.close()

    def _bind(self) -> bool:
        host, _ = self._address
        listener = _Socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            return False
        self._listener = listener
        return True

    def _serve(self) -> None:
        while self._listener is None and not self._bind():
            _sleep(_TRY_AGAIN_S)
        for _ in range(_THREADS):
            _start_thread(self._answer_for_ever, ())

    def _answer_for_ever(self) -> None:
        try:
            while True:
                with self._accept() as caller, suppress(OSError):
                    caller.settimeout(_CALLER_TIMEOUT_S)
                    caller.sendall(self._answer(_read_head(caller)))
        finally:
            # What a page raised is on standard error; the next caller finds a thread all the same.
            _start_thread(self._answer_for_ever, ())

    def _accept(self) -> Any:  # noqa: ANN401 - a socket, whichever class gevent left
        while True:
            try:
                # Not `accept`, which would make a socket of gevent's.
                descriptor, _ = self._listener._accept()  # noqa: SLF001 - see above
                return _Socket(fileno=descriptor)
            except OSError:
                # Out of descriptors, say: the caller has given up by then, others come.
                _sleep(1.0)

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        if path not in self._pages:
            page = Page(b"There are /metrics, /livez and /readyz.\n", 404)
        elif method not in {b"GET", b"HEAD"}:
            page = Page(b"Only GET.\n", 405)
        else:
            page = self._pages[path]()
        lines = (
            f"HTTP/1.1 {page.status} {_REASONS.get(page.status, 'Service Unavailable')}",
            f"Content-Type: {page.content_type}",
            f"Content-Length: {len(page.body)}",
            "Connection: close",
        )
        body = b"" if method == b"HEAD" else page.body
        return "\r\n".join((*lines, "", "")).encode("ascii") + body


def _read_head(caller: Any) -> bytes:  # noqa: ANN401 - a socket, whichever class gevent left
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
        chunk = caller.recv(_LONGEST_HEAD)
        if not chunk:
            raise ConnectionResetError
        head += chunk
    return head
