"""Stripe's emulator in this process, over HTTP, and what tests do with it."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import requests

from sandbox.faults import Faults
from sandbox.server import Application
from sandbox.stripe import Stripe
from sandbox.stripe_events import Courier

SECRET = "whsec_of_the_tests"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Emulator:
    """The emulator: a person at its page, and what `/_control` offers."""

    def __init__(self, url: str, stripe: Stripe) -> None:
        self.url = url
        self._stripe = stripe

    def control(self, path: str, **body: object) -> Any:
        answer = requests.post(f"{self.url}/_control/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def press_pay(self, page_url: str, card: str = "ok") -> None:
        form = {"action": "pay", "card": card}
        answer = requests.post(page_url, data=form, timeout=10, allow_redirects=False)
        assert answer.status_code == 303

    def press_decline(self, page_url: str) -> str:
        return requests.post(page_url, data={"action": "decline"}, timeout=10).text

    def change(self, object_id: str, **fields: object) -> None:
        self.control(f"objects/{object_id}", **fields)

    def refund(self, intent_id: str, amount: int | None = None) -> dict[str, Any]:
        body = {"payment_intent": intent_id, **({"amount": amount} if amount else {})}
        headers = {"Authorization": "Bearer sk_test_x"}
        answer = requests.post(f"{self.url}/v1/refunds", data=body, headers=headers, timeout=10)
        answer.raise_for_status()
        return dict(answer.json())

    def events(self, object_id: str = "", kind: str = "") -> list[dict[str, str]]:
        """Return events of an object, or about an intent, signed now, oldest first."""
        answer = requests.get(
            f"{self.url}/_control/events", params={"object": object_id}, timeout=10
        )
        return [one for one in answer.json() if one["type"].startswith(kind)]

    def sign(self, body: str, *, at: int | None = None) -> str:
        return self._stripe.courier.sign(body.encode(), at=at)

    def objects(self, kind: str) -> list[dict[str, Any]]:
        found = self._stripe.state.objects.values()
        return [one for one in found if one["object"] == kind]


def _bounded(application: Any) -> Any:
    """End the body where its length says so, as gevent's server does and this one does not."""

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = io.BytesIO(environ["wsgi.input"].read(length))
        return application({**environ, "wsgi.input": body}, start_response)

    return serve


@contextmanager
def running() -> Iterator[Emulator]:
    stripe = Stripe(Courier("", SECRET))
    application: Any = Application([stripe], Faults(["stripe"], None))  # type: ignore[arg-type]
    server = make_server("127.0.0.1", 0, _bounded(application), _Server, _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Emulator(f"http://127.0.0.1:{server.server_port}/stripe", stripe)
    finally:
        server.shutdown()
        server.server_close()
