"""Rules, log, jobs and files of the outside upstream."""

import hashlib
import io
import os
import threading
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from PIL import Image

HUGE_BYTES = 60_000_000
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@dataclass
class Rule:
    """What goes wrong with the calls whose prompt contains a text.

    ``step`` is the exchange it applies to: ``call`` (the generation itself), ``status``,
    ``result``, ``download``, or ``content``, what the answers say rather than how they are sent.
    ``do`` names a behavior of `tests.outside.faults`, or for ``content`` of a protocol;
    ``number`` counts polls, hops, images or seconds.
    """

    contains: str
    provider: str = ""
    step: str = "call"
    do: str = ""
    times: int = 1_000_000
    number: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None

    def applies(self, provider: str, step: str, prompt: str) -> bool:
        return (
            self.times > 0
            and self.step == step
            and self.contains in prompt
            and self.provider in {"", provider}
        )


@dataclass
class Call:
    """One generation call.

    ``complaints`` are what the provider's documentation does not know but the provider ignores;
    ``paid`` are the images it would bill, ``sha256`` those it sent.
    """

    provider: str
    model: str
    prompt: str
    body: dict[str, Any]
    status: int | None = None
    paid: int = 0
    complaints: list[str] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)


@dataclass
class Seen:
    """One request of any kind, with everything that could carry a secret."""

    host: str
    method: str
    target: str
    headers: dict[str, str]
    step: str = ""
    provider: str = ""
    prompt: str = ""


@dataclass
class Job:
    """A queued generation of fal or Black Forest Labs."""

    call: Call
    content: Rule
    size: tuple[int, int]
    kind: str
    polls: int = 0
    answer: dict[str, Any] | None = None


@dataclass
class File:
    data: bytes
    kind: str
    provider: str
    prompt: str


class Book:
    """All that one server remembers; safe to use from its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.calls: list[Call] = []
        self.seen: list[Seen] = []
        self.crashes: list[str] = []
        self.jobs: dict[str, Job] = {}
        self.files: dict[str, File] = {}

    def add_rule(self, rule: Rule) -> None:
        with self._lock:
            self._rules.append(rule)

    def rule(self, provider: str, step: str, prompt: str) -> Rule:
        """Return the first rule that applies and has times left, used up by one."""
        with self._lock:
            for rule in self._rules:
                if rule.applies(provider, step, prompt):
                    rule.times -= 1
                    return rule
        return Rule("")

    def publish(self, data: bytes, kind: str, call: Call) -> str:
        """Keep a file, and return its path."""
        path = f"/files/{uuid4().hex}.{kind}"
        self.files[path] = File(data, kind, call.provider, call.prompt)
        return path

    def calls_of(self, contains: str) -> list[dict[str, Any]]:
        return [asdict(one) for one in list(self.calls) if contains in one.prompt]

    def seen_of(self, contains: str) -> list[dict[str, Any]]:
        return [asdict(one) for one in list(self.seen) if contains in one.prompt]


def noise(size: tuple[int, int], kind: str) -> bytes:
    """Draw an image that nobody has drawn before."""
    tile = Image.frombytes("RGB", (24, 24), os.urandom(24 * 24 * 3))
    output = io.BytesIO()
    tile.resize(size, Image.Resampling.NEAREST).save(output, kind.upper())
    return output.getvalue()


def huge() -> bytes:
    """Return what begins like an image and is longer than any image may be."""
    return PNG_MAGIC + os.urandom(1_000_000) * (HUGE_BYTES // 1_000_000)


def draw(call: Call, content: Rule, size: tuple[int, int], kind: str, count: int) -> list[bytes]:
    """Draw what a call asked for, as its rule wants it, and note what it was."""
    if content.do == "count":
        count = content.number
    images = [noise(_size(content, size), kind) for _ in range(count)]
    if content.do == "cut_image":
        images = [data[: len(data) // 2] for data in images]
    elif content.do == "html_image":
        images = [b"<!doctype html><html><body>Gone</body></html>"] * count
    elif content.do == "huge":
        images = [huge()] * count
    elif content.do == "one_huge":
        images[0] = huge()
    elif content.do == "empty":
        images = [b""] * count
    call.status = 200
    call.paid = count
    call.sha256 = [hashlib.sha256(data).hexdigest() for data in images]
    return images


def _size(content: Rule, size: tuple[int, int]) -> tuple[int, int]:
    return (64, 64) if content.do == "tiny" else size


def flagged(content: Rule, count: int) -> list[bool]:
    """Return for each image whether its safety system keeps it: the first ones, -1 for all."""
    if content.do != "moderated":
        return [False] * count
    kept = count if content.number < 0 else content.number
    return [index < kept for index in range(count)]
