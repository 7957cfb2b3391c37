"""HTTP side shared by the emulators: requests, responses, routing, the call log, drawn files."""

import hashlib
import math
import os
import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import gevent
import orjson
from gevent.threadpool import ThreadPool

from sandbox.directives import strip
from sandbox.drawing import Picture, render
from sandbox.faults import BadConfigError, Faults, Plan, drip, hang

_MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_LOG_CALLS: Final = 20_000
_LOG_PROMPT_LETTERS: Final = 2_000
_FILES_KEPT: Final = 50_000
# The operations that make images.
_DRAWING: Final = frozenset({"generate", "edit", "variation"})
_REASONS: Final = {
    200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict",
    413: "Content Too Large", 422: "Unprocessable Entity", 429: "Too Many Requests",
    499: "Client Closed Request", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip

Environ = dict[str, Any]


@dataclass(slots=True)
class Entry:
    """One line of the call log; `status` stays None while a call hangs.

    `files` are the SHA-256 checksums of the files sent along.
    """

    provider: str
    operation: str
    method: str
    path: str
    model: str | None = None
    prompt: str | None = None
    request_id: str | None = None
    status: int | None = None
    at: float = field(default_factory=time.time)
    files: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return the fields for `GET /_log`."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `path` lacks the provider's prefix, `root` is `http://host/<prefix>`."""

    method: str
    path: str
    root: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    entry: Entry

    def json(self) -> Any:  # noqa: ANN401 - parsed JSON has no narrower type
        """Parse the body.

        Raises:
            ValueError: it is not JSON.
        """
        return orjson.loads(self.body)

    def note_files(self, files: Iterable[bytes]) -> None:
        """Note the images sent along; a call that has any is an edit."""
        self.entry.files = [hashlib.sha256(data).hexdigest() for data in files]
        if self.entry.files:
            self.entry.operation = "edit"

    def note(self, operation: str, model: str, prompt: str, request_id: str) -> None:
        """Complete the log entry of a call."""
        self.entry.operation = operation
        self.entry.model = model
        self.entry.prompt = prompt[:_LOG_PROMPT_LETTERS]
        self.entry.request_id = request_id


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response; `stream` replaces the body, chunked unless `length` is known."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Iterable[bytes] | None = None
    length: int | None = None

    def dripped(self) -> "Response":
        """Return the same response with a body that hardly moves."""
        return replace(self, stream=drip(self.body), length=len(self.body))


def json_response(
    payload: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a JSON document."""
    return Response(status, orjson.dumps(payload), headers=headers or {})


class Provider(Protocol):
    """One emulated API, mounted under its name."""

    name: str

    def handle(self, request: Request) -> Response:
        """Answer one request below the provider's prefix."""


@dataclass(frozen=True, slots=True)
class _File:
    picture: Picture
    plan: Plan
    expires_at: float


class Studio:
    """Draws pictures in threads and remembers how to draw those that are fetched by URL."""

    def __init__(self) -> None:
        self._pool = ThreadPool(max(2, os.cpu_count() or 2))
        self._files: OrderedDict[str, _File] = OrderedDict()

    def draw(self, picture: Picture) -> bytes:
        """Draw in a thread, so that other calls go on meanwhile."""
        data: bytes = self._pool.apply(render, (picture,))
        return data

    def publish(self, picture: Picture, plan: Plan, *, ttl_s: float = math.inf) -> str:
        """Promise a file and return its name; it is drawn when fetched, each time the same."""
        suffix = {"jpeg": "jpg"}.get(picture.format, picture.format)
        name = f"{secrets.token_urlsafe(18)}.{suffix}"
        self._files[name] = _File(picture, plan, time.time() + ttl_s)
        if len(self._files) > _FILES_KEPT:
            self._files.popitem(last=False)
        return name

    def serve(self, name: str) -> Response:
        """Answer the download of a file: 404 unknown, 403 expired, else its bytes."""
        file = self._files.get(name)
        if file is None:
            return Response(404, b"Not Found", "text/plain")
        if file.expires_at < time.time():
            return Response(403, b"<Error><Code>AuthenticationFailed</Code></Error>", "text/xml")
        if file.plan.hangs_at("file"):
            hang()
        forced = file.plan.find("file_status")
        if forced:
            return Response(int(forced), b"Service error", "text/plain")
        response = Response(200, self.draw(file.picture), file.picture.content_type)
        return response.dripped() if file.plan.find("drip") == "image" else response


def picture_for(plan: Plan, picture: Picture) -> Picture:
    """Apply the directives that change an image itself, and keep directives out of the caption."""
    width, height = picture.width, picture.height
    if plan.find("wrong_size"):
        width, height = max(16, width // 2 + 8), max(16, height // 2)
    return replace(
        picture,
        caption=strip(picture.caption),
        width=width,
        height=height,
        damage=plan.find("corrupt") or "",
    )


class Application:
    """WSGI application: `/<provider>/...`, `/healthz`, `/_log` and `/_config`."""

    def __init__(self, providers: list[Provider], faults: Faults) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._faults = faults
        self._log: deque[Entry] = deque(maxlen=_LOG_CALLS)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - the WSGI callable of any server
        """Answer one request."""
        response = self._answer(environ)
        headers = [("Content-Type", response.content_type), *response.headers.items()]
        length = response.length if response.stream is not None else len(response.body)
        if length is not None:
            headers.append(("Content-Length", str(length)))
        reason = _REASONS.get(response.status, "Status")
        start_response(f"{response.status} {reason}", headers)
        return [response.body] if response.stream is None else response.stream

    def _answer(self, environ: Environ) -> Response:
        method = str(environ["REQUEST_METHOD"])
        path = str(environ["PATH_INFO"])
        query = {key: values[-1] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
        prefix, _, rest = path.lstrip("/").partition("/")
        provider = self._providers.get(prefix)
        if provider is None:
            return self._own(method, path, query, environ)
        body = environ["wsgi.input"].read(_MAX_BODY_BYTES + 1)
        if len(body) > _MAX_BODY_BYTES:
            return Response(413, b"Content Too Large", "text/plain")
        entry = Entry(provider=prefix, operation="other", method=method, path=path)
        self._log.append(entry)
        request = Request(
            method=method,
            path=f"/{rest}",
            root=f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}/{prefix}",
            query=query,
            headers=dict(_headers(environ)),
            body=body,
            entry=entry,
        )
        response = provider.handle(request)
        entry.status = response.status
        return response

    def _own(self, method: str, path: str, query: Mapping[str, str], environ: Environ) -> Response:
        match method, path:
            case "GET", "/healthz":
                return json_response({"status": "ok"})
            case "GET", "/_log":
                return self._show_log(query)
            case "DELETE", "/_log":
                self._log.clear()
                return json_response({"count": 0})
            case "GET", "/_config":
                return self._show_config()
            case "POST", "/_config":
                return self._change_config(environ["wsgi.input"].read(_MAX_BODY_BYTES))
            case _:
                return json_response({"error": f"No such path: {path}"}, status=404)

    def _show_log(self, query: Mapping[str, str]) -> Response:
        """Newest last; only calls for images unless `operation=any` or one operation."""
        operation = query.get("operation")
        operations = _DRAWING if operation is None else {operation}
        needle = query.get("contains", "")
        found = [
            entry
            for entry in self._log
            if (operation == "any" or entry.operation in operations)
            and needle in (entry.prompt or "")
            and query.get("provider", entry.provider) == entry.provider
            and query.get("request_id", entry.request_id) == entry.request_id
        ]
        limit = query.get("limit", "1000")
        shown = found[-int(limit) :] if limit.isdecimal() and int(limit) else []
        return json_response({"count": len(found), "calls": [entry.as_json() for entry in shown]})

    def _show_config(self) -> Response:
        return json_response({name: self._faults.settings(name) for name in self._providers})

    def _change_config(self, body: bytes) -> Response:
        try:
            changes = orjson.loads(body)
        except orjson.JSONDecodeError:
            return json_response({"error": "The body is not JSON."}, status=400)
        if not isinstance(changes, dict):
            return json_response({"error": "The body must be an object."}, status=400)
        if changes.pop("reset", False):
            self._faults.reset()
        try:
            self._faults.configure(changes)
        except BadConfigError as error:
            return json_response({"error": str(error)}, status=400)
        return self._show_config()


def pause(seconds: float) -> None:
    """Let other calls run for a while."""
    if seconds > 0:
        gevent.sleep(seconds)


def iso_time(at: float) -> str:
    """Format a Unix time as fal and Azure do, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


def _headers(environ: Environ) -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield re.sub("_", "-", key[5:]).lower(), str(value)
    yield "content-type", str(environ.get("CONTENT_TYPE") or "")
