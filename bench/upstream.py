"""An upstream that speaks OpenAI's Images protocol and takes no time: `python -m bench.upstream`.

What it answers is asked for in the prompt: `[[bytes=N]]` length of the image, `[[delay=S]]` seconds
to wait, `[[gather=N]]` wait until N such calls are there, `[[by=url]]` answer with a URL.
"""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402 - gevent patches first
import itertools  # noqa: E402
import re  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterable, Mapping  # noqa: E402

import gevent  # noqa: E402
import orjson  # noqa: E402
from gevent import pywsgi  # noqa: E402
from gevent.event import Event  # noqa: E402

from bench.pictures import template  # noqa: E402
from embedded.limits import raise_file_limit  # noqa: E402

_DIRECTIVE = re.compile(r"\[\[(\w+)=([^\]]+)\]\]")
GATHER_S_MAX = 90.0
DEFAULT_BYTES = 100_000
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Upstream:
    """The WSGI application."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._in_flight = 0
        self._most_in_flight = 0
        self._calls = 0
        self._all_here = Event()

    def __call__(
        self, environ: Mapping[str, object], start_response: StartResponse
    ) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"])
        if environ["REQUEST_METHOD"] == "POST":
            body, kind = self._generate(environ), "application/json"
        elif path.startswith("/files/"):
            _, _, length, number = path.removesuffix(".png").split("/")
            body, kind = template(int(length)).picture(int(number)), "image/png"
        else:
            body, kind = self._stats(), "application/json"
        start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def _generate(self, environ: Mapping[str, object]) -> bytes:
        stream = environ["wsgi.input"]
        assert isinstance(stream, pywsgi.Input)
        request = orjson.loads(stream.read())
        asked = dict(_DIRECTIVE.findall(request["prompt"]))
        self._wait(float(asked.get("delay", 0)), int(asked.get("gather", 0)))
        number = next(self._numbers)
        length = int(asked.get("bytes", DEFAULT_BYTES))
        if asked.get("by") == "url":
            url = f"http://{environ['HTTP_HOST']}/files/{length}/{number}.png"
            return orjson.dumps({"created": 1, "data": [{"url": url}]})
        encoded = template(length).picture_base64(number)
        return b'{"created":1,"data":[{"b64_json":"' + encoded + b'"}]}'

    def _wait(self, delay_s: float, together: int) -> None:
        self._calls += 1
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            if together:
                if self._in_flight >= together:
                    self._all_here.set()
                self._all_here.wait(timeout=GATHER_S_MAX)
            if delay_s:
                gevent.sleep(delay_s)
        finally:
            self._in_flight -= 1

    def _stats(self) -> bytes:
        """Return the most calls at once since the last time this was asked."""
        found = {"most_in_flight": self._most_in_flight, "calls": self._calls}
        self._most_in_flight = self._calls = 0
        self._all_here.clear()
        return orjson.dumps(found)


def main() -> None:
    """Serve until the end of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    raise_file_limit()
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    # Accepted connections inherit it; else the end of an image waits up to 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = pywsgi.WSGIServer(listener, Upstream(), log=None, error_log=sys.stderr)
    server.serve_forever()


if __name__ == "__main__":
    main()
