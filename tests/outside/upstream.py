"""Every provider's protocol as its documentation tells it, written without sight of the adapters.

``python -m tests.outside.upstream --fd N`` serves on an inherited listening socket, and as another
host on a second port. It shares nothing with the product nor with the sandbox. Rules, set by
prompt, make it misbehave; the log keeps every request with its headers.
"""

import contextlib
import json
import socket
import sys
import threading
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.outside.book import Book, Rule, Seen
from tests.outside.faults import Reply, deliver
from tests.outside.protocols import bfl, fal, google, ideogram, openai, stability, xai
from tests.outside.protocols.exchange import Exchange, RefusedError

_PROTOCOLS = {
    "openai": openai.serve,
    "azure_openai": openai.serve_azure,
    "gemini": google.serve,
    "xai": xai.serve,
    "fal": fal.serve,
    "bfl": bfl.serve,
    "stability": stability.serve,
    "ideogram": ideogram.serve,
}


@dataclass
class _Place:
    """One of the server's two addresses."""

    name: str
    url: str
    foreign_url: str


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    book: ClassVar[Book]
    place: ClassVar[_Place]

    def _serve(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path.startswith("/_"):
            self._control(path, sent)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.place.name, self.command, self.path, headers)
        self.book.seen.append(seen)
        hops, file_path = _hops(path)
        if file_path.startswith("/files/"):
            self._download(seen, hops, file_path)
        else:
            self._exchange(seen, path, sent)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names http.server calls

    def _exchange(self, seen: Seen, path: str, sent: bytes) -> None:
        provider, _, rest = path[1:].partition("/")
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        exchange = Exchange(
            book=self.book,
            provider=provider,
            method=self.command,
            path=f"/{rest}",
            query=query,
            headers=seen.headers,
            sent=sent,
            url=self.place.url,
            foreign_url=self.place.foreign_url,
        )
        try:
            reply = _PROTOCOLS[provider](exchange)
        except RefusedError as refusal:
            reply = refusal.reply
            if exchange.call is not None:
                exchange.call.status = reply.status
        seen.step, seen.provider, seen.prompt = exchange.step, provider, exchange.prompt
        rule = self.book.rule(provider, exchange.step, exchange.prompt)
        if exchange.call is not None and exchange.step == "call" and rule.status:
            exchange.call.status, exchange.call.paid = rule.status, 0
        self._send(reply, rule)

    def _download(self, seen: Seen, hops: int, path: str) -> None:
        file = self.book.files.get(path)
        if file is None:
            self._send(Reply(b"", 404, "text/plain"), Rule(""))
            return
        seen.step, seen.provider, seen.prompt = "download", file.provider, file.prompt
        reply = Reply(file.data, 200, f"image/{file.kind}")
        if path != urlsplit(self.path).path:
            # On the way of a redirect.
            rule = Rule("", do="redirect", number=hops) if hops else Rule("")
            self.path = path
        else:
            rule = self.book.rule(file.provider, "download", file.prompt)
        self._send(reply, rule)

    def _send(self, reply: Reply, rule: Rule) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            deliver(self, reply, rule)

    def _control(self, path: str, sent: bytes) -> None:
        contains = parse_qs(urlsplit(self.path).query).get("contains", [""])[0]
        if path == "/_rules":
            self.book.add_rule(Rule(**json.loads(sent)))
        answers = {
            "/_calls": self.book.calls_of,
            "/_seen": self.book.seen_of,
            "/_crashes": lambda _: self.book.crashes,
        }
        answer = answers.get(path)
        deliver(self, Reply.json(answer(contains) if answer else {}), Rule(""))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the log for failures."""


def _hops(path: str) -> tuple[int, str]:
    """Return how often a redirected download is sent on again, and the file's path."""
    if not path.startswith("/hop/"):
        return 0, path
    hops, _, rest = path.removeprefix("/hop/").partition("/")
    return int(hops), f"/{rest}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    book: Book

    def handle_error(self, *_: object) -> None:
        """Keep a fault of this server for the tests; clients may go away as they like."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            self.book.crashes.append(traceback.format_exc())


def _serve(listener: socket.socket, place: _Place, book: Book) -> None:
    handler = type("_PlacedHandler", (_Handler,), {"book": book, "place": place})
    server = _Server(listener.getsockname(), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.book = book
    server.serve_forever()


def main(arguments: list[str]) -> None:
    """Serve until killed."""
    own = socket.socket(fileno=int(arguments[arguments.index("--fd") + 1]))
    foreign = socket.create_server(("127.0.0.1", 0), backlog=128)
    urls = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in (own, foreign)]
    book = Book()
    other = _Place("foreign", urls[1], urls[1])
    threading.Thread(target=_serve, args=(foreign, other, book), daemon=True).start()
    _serve(own, _Place("own", urls[0], urls[1]), book)


if __name__ == "__main__":
    main(sys.argv[1:])
