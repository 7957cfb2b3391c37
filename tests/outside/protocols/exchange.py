"""What a protocol knows of one request, and ways to refuse it."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import orjson

from tests.outside.book import Book, Call, Rule
from tests.outside.faults import Reply

KEYS = {
    "openai": "sk-outside-openai-3f9a",
    "azure_openai": "outside-azure-77c1",
    "gemini": "AIza-outside-gemini-20d4",
    "xai": "xai-outside-8be2",
    "fal": "outside-id:outside-fal-51aa",
    "bfl": "outside-bfl-90fe",
    "stability": "sk-outside-stability-c3d7",
    "ideogram": "outside-ideogram-e815",
}


class RefusedError(Exception):
    """Ends an exchange with an error's answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass
class Exchange:
    """One request. The protocol names its ``step`` and, for a generation, its ``call``."""

    book: Book
    provider: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    sent: bytes
    url: str
    foreign_url: str
    step: str = "call"
    call: Call | None = None

    @property
    def prompt(self) -> str:
        return self.call.prompt if self.call else ""

    @property
    def key(self) -> str:
        return KEYS[self.provider]

    def body(self, refuse: Callable[[str], RefusedError]) -> dict[str, Any]:
        """Return the JSON body, an object."""
        if "json" not in self.headers.get("content-type", ""):
            raise refuse("Content-Type must be application/json")
        try:
            found = orjson.loads(self.sent)
        except orjson.JSONDecodeError as error:
            raise refuse("The body is not JSON") from error
        if not isinstance(found, dict):
            raise refuse("The body is not an object")
        return found

    def form(self, refuse: Callable[[str], RefusedError]) -> dict[str, str]:
        """Return the text fields of a multipart body; empty file parts are ignored."""
        kind = self.headers.get("content-type", "")
        if not kind.startswith("multipart/form-data"):
            raise refuse("content-type: must be multipart/form-data")
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + self.sent)
        fields: dict[str, str] = {}
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            if part.get_filename() is None:
                fields[str(name)] = bytes(part.get_payload(decode=True)).decode()
        return fields

    def begin(self, model: str, prompt: object, body: dict[str, Any]) -> tuple[Call, Rule]:
        """Log a generation, before anything is checked; return it with what it shall answer."""
        self.call = Call(self.provider, model, str(prompt), body)
        self.book.calls.append(self.call)
        return self.call, self.book.rule(self.provider, "content", self.call.prompt)

    def link(self, path: str, content: Rule) -> str:
        """Return an address for the client to follow, on another host if the rule says so."""
        return f"{self.foreign_url if content.do == 'foreign' else self.url}{path}"

    def file_url(self, data: bytes, kind: str, content: Rule) -> str:
        """Publish an image and return its address."""
        assert self.call is not None
        if content.do == "url":
            return str(content.body)
        signed = "?se=2026-11-21T12%3A00%3A00Z&sig=abc%2Bdef%3D"
        return self.link(self.book.publish(data, kind, self.call), content) + signed


def complain(call: Call, fields: Mapping[str, object], known: set[str]) -> None:
    """Note fields that the documentation does not have and the provider ignores."""
    call.complaints += [f"unknown field {name}" for name in sorted(set(fields) - known)]


def base64_of(data: bytes, content: Rule) -> str:
    """Return an image as base64, or what its rule makes of it."""
    text = base64.b64encode(data).decode()
    if content.do == "cut_base64":
        return text[: len(text) // 2 // 4 * 4 + 1]
    if content.do == "bad_base64":
        return "!!" + text[2:]
    if content.do == "data_uri":
        return f"data:image/jpeg;base64,{text}"
    return text


def is_count(value: object, low: int, high: int) -> bool:
    """Whether a value is an integer, and no boolean, in a range."""
    return type(value) is int and low <= value <= high


def by_area(ratio: tuple[int, int], pixels: int, step: int) -> tuple[int, int]:
    """Return about so many pixels of a ratio, both edges rounded up to a multiple."""
    width = (pixels * ratio[0] / ratio[1]) ** 0.5
    height = (pixels * ratio[1] / ratio[0]) ** 0.5
    return (-int(-width // step) * step, -int(-height // step) * step)
