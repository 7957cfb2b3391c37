"""Reading server-sent events off the wire, apart from any client's way to do it."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from tests.tenants import GENERATIONS, Tenant, new_prompt

GPT = "gpt-image-1"
PARTIAL = "image_generation.partial_image"
COMPLETED = "image_generation.completed"


@dataclass
class Event:
    """One event; ``at`` is when its last byte was read. A comment has ``name`` ``:``."""

    name: str
    data: dict[str, Any]
    at: float

    @property
    def image(self) -> bytes:
        return base64.b64decode(self.data["b64_json"], validate=True)


def events_of(answer: requests.Response) -> Iterator[Event]:
    """Yield the events of a streamed answer as they come, comments included."""
    name, data = "", ""
    for line in answer.iter_lines(chunk_size=None, delimiter=b"\n"):
        if line.startswith(b":"):
            name = ":"
        elif line.startswith(b"event: "):
            name = line.removeprefix(b"event: ").decode()
        elif line.startswith(b"data: "):
            data = line.removeprefix(b"data: ").decode()
        elif not line and (name or data):
            yield Event(name, json.loads(data or "{}"), time.time())
            name, data = "", ""


class Live:
    """A streamed answer that is being read."""

    def __init__(self, answer: requests.Response) -> None:
        self.answer = answer
        self._events = events_of(answer)

    @property
    def generation_id(self) -> str:
        return self.answer.headers["X-Generation-Id"]

    def next(self, name: str = PARTIAL) -> Event:
        """Return the next event that is no comment, which must have this name."""
        event = next(event for event in self._events if event.name != ":")
        assert event.name == name, event.data
        return event

    def rest(self) -> list[Event]:
        """Return all further events that are no comments."""
        return [event for event in self._events if event.name != ":"]

    def close(self) -> None:
        """Hang up."""
        self.answer.close()


def post_stream(
    tenant: Tenant, prompt: str = "", *, headers: dict[str, str] | None = None, **body: Any
) -> Live:
    """Ask for an image as a stream."""
    sent = {"model": GPT, "prompt": prompt or new_prompt(), "stream": True, "partial_images": 3}
    answer = tenant.request(
        "POST", GENERATIONS, headers=headers, json={**sent, **body}, stream=True
    )
    return Live(answer)


def watch(tenant: Tenant, generation_id: str) -> Live:
    """Look on at a generation."""
    path = f"/v1/images/generations/{generation_id}?stream=true"
    return Live(tenant.request("GET", path, stream=True))
