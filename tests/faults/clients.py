"""Callers that behave like the official SDK: they retry, and remember what they were told."""

import itertools
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests

from tests.faults.stack import Organization

OPENAI = "openai/dall-e-3"
FAL = "fal/flux-1.1-pro"
PATIENCE_S = 90
READ_TIMEOUT_S = 120


class Server(Protocol):
    """Where calls are sent to."""

    @property
    def base_url(self) -> str:
        """The address for the next try."""


@dataclass
class Try:
    """One HTTP request of a call: its status, or the error that cut it."""

    started_s: float
    ended_s: float
    status: int | None
    error: str = ""
    generation_id: str = ""


@dataclass
class Call:
    """One image asked for, with every try it took."""

    organization: Organization
    model: str
    prompt: str
    idempotency_key: str | None = None
    retries: bool = True
    read_timeout_s: float = READ_TIMEOUT_S
    tries: list[Try] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int | None:
        """The status of the last try; None if it was cut or none has ended."""
        return self.tries[-1].status if self.tries else None

    @property
    def url(self) -> str:
        """The URL of the image."""
        return str(self.body["data"][0]["url"])

    @property
    def code(self) -> str:
        """The code of the error answered."""
        return str(self.body["error"]["code"])

    def run(self, stack: Server) -> None:
        """Ask until there is a final answer, as the SDK does, though more often."""
        patience_s = time.monotonic() + PATIENCE_S
        for number in itertools.count():
            response = self._try_once(stack, number)
            if response is not None:
                self.body = response.json()
                self.headers = dict(response.headers)
                if response.headers.get("x-should-retry", "false") != "true":
                    return
            if not self.retries or time.monotonic() > patience_s:
                return
            time.sleep(min(0.25 * 2**number, 2.0))

    def _try_once(self, stack: Server, number: int) -> requests.Response | None:
        headers = {
            "Authorization": f"Bearer {self.organization.key}",
            "x-stainless-retry-count": str(number),
        }
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        started_s = time.monotonic()
        try:
            response = requests.post(
                f"{stack.base_url}/v1/images/generations",
                json={"model": self.model, "prompt": self.prompt, "response_format": "url"},
                headers=headers,
                timeout=(10, self.read_timeout_s),
            )
        except requests.RequestException as error:
            self.tries.append(Try(started_s, time.monotonic(), None, error=repr(error)))
            return None
        generation_id = response.headers.get("X-Generation-Id", "")
        status = response.status_code
        self.tries.append(Try(started_s, time.monotonic(), status, generation_id=generation_id))
        return response


class Crowd:
    """Calls under way, a thread each."""

    def __init__(self, stack: Server) -> None:
        self._stack = stack
        self._threads: list[threading.Thread] = []
        self.calls: list[Call] = []

    def send(self, call: Call) -> Call:
        """Start a call."""
        thread = threading.Thread(target=call.run, args=(self._stack,), daemon=True)
        self.calls.append(call)
        self._threads.append(thread)
        thread.start()
        return call

    def send_all(self, calls: Iterable[Call], *, per_second: float) -> None:
        """Start calls at a steady pace."""
        for call in calls:
            self.send(call)
            time.sleep(1 / per_second)

    def join(self, timeout_s: float = 150) -> list[Call]:
        """Wait for all calls and return them."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a call got no answer"
        return self.calls


def mixed_calls(organization: Organization, count: int, mark: str, *, delay_s: float) -> list[Call]:
    """Return calls to both providers, every second with an `Idempotency-Key`."""
    return [
        Call(
            organization,
            model=(OPENAI, FAL)[number % 2],
            prompt=f"{mark} {number} <delay={delay_s}>",
            idempotency_key=f"{mark}-{number}" if number // 2 % 2 else None,
        )
        for number in range(count)
    ]
