"""The process's outbound HTTP client.

    client = shared_client(allow_private=False, version="1.2.3")
    with client.open("POST", url, deadline=deadline, headers={...}, json={...}) as answer:
        answer.status, answer.headers, answer.read_body(limit=65536)
    with client.open_download(url, deadline=deadline) as answer:
        ...

Plain blocking code: under gevent only the calling greenlet waits, without its patches the whole
thread does.
"""

import functools
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urljoin, urlsplit

import orjson
import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import exceptions

from core.http import bodies
from core.http.deadline import remaining_s, within
from core.http.errors import (
    BodyTooLarge,
    HttpError,
    InvalidTarget,
    ReadFailed,
    TimedOut,
    TooManyRedirects,
)
from core.http.events import ServerEvent, read_events
from core.http.guard import Guard, Resolver, Target, resolve
from core.http.pools import PooledAdapter
from core.http.uploads import Upload
from core.telemetry.spans import Span, SpanKind, outgoing_headers, span

HOP_HEADER = "X-Lienzo-Hop"
_CONNECT_S_MAX = 10.0
_REDIRECTS_MAX = 3
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


class HttpResponse:
    """An answer whose headers have arrived; its body is still on the wire. A context manager.

    Attributes:
        url: What was asked last, after redirects.
        headers: Names compare without case.
    """

    def __init__(self, response: requests.Response, *, deadline: float, present: Span) -> None:
        self._response = response
        self._span = present
        self._deadline = deadline
        self.url: str = response.url
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004

    @property
    def content_length(self) -> int | None:
        """The body's length as announced; None if it is compressed, or not announced."""
        if self.headers.get("Content-Encoding", "identity") != "identity":
            return None
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    def read_body(self, *, limit: int, on_large: Callable[[], None] | None = None) -> bytes:
        """Read the whole body, decompressed, until the call's deadline.

        Args:
            limit: Bytes.
            on_large: Called once if it has more than 16 MiB, before they are kept; may wait.

        Raises:
            BodyTooLarge: More than `limit` bytes, by its announced or by its real length.
            TimedOut: The deadline passed; data that trickles in does not extend it.
            ReadFailed: The connection broke, or the body is shorter than announced.
        """
        announced = self.content_length
        if announced is not None and announced > limit:
            self.close()
            raise BodyTooLarge(f"the body has {announced} bytes, more than {limit}")
        try:
            with _read_errors(self._deadline), within(self._deadline, processed=True):
                return bodies.read_limited(self._read_chunk, limit=limit, on_large=on_large)
        except HttpError:
            self.close()
            raise

    def read_json(self, *, limit: int, on_large: Callable[[], None] | None = None) -> object:
        """Read the body as JSON; the arguments are those of `read_body`.

        Raises:
            BodyInvalid: It is not JSON.
            HttpError: As `read_body`.
        """
        return bodies.parse_json(self.read_body(limit=limit, on_large=on_large))

    def read_events(self, *, limit: int, on_large: Callable[[], None]) -> Iterator[ServerEvent]:
        """Yield the body's server-sent events as they come, until the call's deadline.

        Between two of them no timer runs, so the caller may do as it likes.

        Args:
            limit: Bytes of one event's data.
            on_large: Called before more than 64 KiB of an event are read.

        Raises:
            BodyTooLarge: An event is longer than `limit`.
            HttpError: As `read_body`.
        """
        return read_events(self._read_arrived, limit=limit, on_large=on_large)

    def close(self) -> None:
        """Give the connection back, or drop it if the body was not read to its end."""
        self._response.close()
        self._span.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read_arrived(self) -> bytes:
        with _read_errors(self._deadline), within(self._deadline, processed=True):
            return self._read_chunk()

    def _read_chunk(self) -> bytes:
        remaining_s(self._deadline, processed=True)
        # read1 returns what has arrived, so that the deadline is checked however slowly bytes come.
        chunk: bytes = self._response.raw.read1(bodies.CHUNK_BYTES, decode_content=True)
        return chunk


@contextmanager
def _read_errors(deadline: float) -> Iterator[None]:
    """Translate what urllib3 and the socket raise once the request has been sent."""
    try:
        yield
    except (exceptions.HTTPError, requests.RequestException, OSError) as error:
        remaining_s(deadline, processed=True)
        if isinstance(error, exceptions.TimeoutError | requests.Timeout | TimeoutError):
            raise TimedOut("the answer stopped coming") from error
        raise ReadFailed(f"the answer broke off: {type(error).__name__}") from error


class HttpClient:
    """Connection pools and rules for all calls out of one process; safe to share between greenlets.

    Args:
        allow_private: Guarded calls may connect to private and loopback addresses.
        version: Of this software, for the User-Agent.
        before_request: Called before each request, in the caller's greenlet and outside its timer;
            what it raises stops the call. Meant for refusing calls while a database connection is
            open.
        resolver: How the guard looks a host up.
        pool_size: Idle connections kept per host.
        ca_file: Authorities to trust instead of the bundled ones.
        exempt: Hosts and ports that the guard does not check.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        version: str,
        before_request: Callable[[], None] | None = None,
        resolver: Resolver = resolve,
        pool_size: int = 256,
        ca_file: str | None = None,
        exempt: Collection[Target] = (),
    ) -> None:
        tls = ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH)
        guard = Guard(allow_private=allow_private, resolver=resolver, exempt=exempt)
        self._before_request = before_request
        # Images and base64 hardly compress: decompressing would cost more than the transfer saves.
        self._headers = {
            "User-Agent": f"Lienzo/{version}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "keep-alive",
        }
        # The transports alone: a session around them would merge settings, cookies and hooks that
        # there are not, for a quarter of a call's CPU.
        self._calls = PooledAdapter(size=pool_size, tls=tls)
        self._guarded = PooledAdapter(size=pool_size, tls=tls, guard=guard)

    def open(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        json: object | None = None,
        form: Iterable[tuple[str, str]] | None = None,
        upload: Upload | None = None,
    ) -> HttpResponse:
        """Send a request to a configured upstream and return as soon as its headers are there.

        Redirects are returned, not followed: the headers may carry a key.

        Args:
            method: Of HTTP.
            url: Below the upstream's base URL.
            deadline: `time.monotonic()` value by which the body must have been read, too.
            headers: Sent as they are.
            json: The body, as JSON.
            form: The body, as text fields of multipart/form-data in this order; a name may repeat.
            upload: The body, read while it is sent; again from its beginning by another call.

        Raises:
            HttpError: InvalidTarget, ConnectFailed, ReadFailed, TimedOut or UploadFailed.
        """
        sent = {**(headers or {}), HOP_HEADER: "1"}
        body: bytes | Upload | None = None
        if json is not None:
            body = orjson.dumps(json)
            sent["Content-Type"] = "application/json"
        elif form is not None:
            body, sent["Content-Type"] = bodies.encode_form(form)
        elif upload is not None:
            body, sent["Content-Type"] = upload, upload.content_type
        return self._send(
            self._calls, method, url, deadline=deadline, headers=sent, body=body, tell_trace=True
        )

    def open_download(self, url: str, *, deadline: float) -> HttpResponse:
        """Get a URL that an upstream named, without any credentials.

        Follows up to 3 redirects; the address of each hop is checked as it is connected to.

        Raises:
            HttpError: As `open`, also TargetRefused and TooManyRedirects; a broken or refused
                download is always `processed`, as its image has been made.
        """
        try:
            return self._follow(url, deadline=deadline)
        except HttpError as error:
            error.processed = True
            raise

    def post_guarded(
        self, url: str, *, deadline: float, headers: Mapping[str, str], body: bytes
    ) -> HttpResponse:
        """Post to a URL that a customer named; its address is checked as it is connected to.

        Redirects are returned, not followed.

        Raises:
            HttpError: As `open`, also TargetRefused.
        """
        return self._send(self._guarded, "POST", url, deadline=deadline, headers=headers, body=body)

    def close(self) -> None:
        """Close all idle connections."""
        self._calls.close()
        self._guarded.close()

    def _follow(self, url: str, *, deadline: float) -> HttpResponse:
        for _ in range(_REDIRECTS_MAX + 1):
            answer = self._send(
                self._guarded, "GET", url, deadline=deadline, headers={"Accept": "*/*"}, body=None
            )
            target = answer.headers.get("Location")
            if answer.status not in _REDIRECT_STATUSES or not target:
                return answer
            answer.close()
            url = _join(url, target)
        raise TooManyRedirects(f"more than {_REDIRECTS_MAX} redirects")

    def _send(
        self,
        transport: PooledAdapter,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str],
        body: bytes | Upload | None,
        tell_trace: bool = False,
    ) -> HttpResponse:
        parts = parse_target(url)
        if self._before_request is not None:
            self._before_request()
        left = remaining_s(deadline, processed=False)
        present = span(method, kind=SpanKind.CLIENT)
        if present.trace_id:
            _describe(present, method, parts)
            headers = {**headers, **(outgoing_headers(present) if tell_trace else {})}
        try:
            response = self._transmit(transport, method, url, deadline, left, headers, body)
        except HttpError as error:
            present.fail(type(error).__qualname__)
            present.end()
            raise
        present.set("http.response.status_code", response.status_code)
        if response.status_code >= 400:  # noqa: PLR2004
            present.fail(str(response.status_code))
        return HttpResponse(response, deadline=deadline, present=present)

    def _transmit(
        self,
        transport: PooledAdapter,
        method: str,
        url: str,
        deadline: float,
        left: float,
        headers: Mapping[str, str],
        body: bytes | Upload | None,
    ) -> requests.Response:
        try:
            with _read_errors(deadline), within(deadline, processed=False):
                request = requests.PreparedRequest()
                request.prepare(method, url, headers={**self._headers, **headers}, data=body)
                return transport.send(
                    request, stream=True, timeout=(min(_CONNECT_S_MAX, left), left)
                )
        except ReadFailed as error:
            if isinstance(error.__cause__, ValueError):
                # requests' InvalidURL and InvalidHeader: it sent nothing.
                raise InvalidTarget("the URL or a header is not valid") from error
            raise
        except HttpError as error:
            if not error.processed:
                remaining_s(deadline, processed=False)
            raise


def _describe(present: Span, method: str, parts: SplitResult) -> None:
    """Say where a call goes: neither path nor query, which may hold keys and signatures."""
    present.set("http.request.method", method)
    present.set("server.address", parts.hostname)
    present.set("server.port", parts.port or (443 if parts.scheme == "https" else 80))


def parse_target(url: str) -> SplitResult:
    """Return a URL's parts; refuse one that requests would read more into than where to connect to.

    Raises:
        InvalidTarget: Not http or https, no host, or a user name (it would be sent as a
            credential).
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise InvalidTarget("the URL is not valid") from error
    if not usable or "@" in parts.netloc:
        raise InvalidTarget("the URL must be http or https, with a host and without a user name")
    return parts


def _join(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise InvalidTarget("the redirect's target is not valid") from error


@functools.cache
def shared_client(
    *,
    allow_private: bool,
    version: str,
    before_request: Callable[[], None] | None = None,
    pool_size: int = 256,
    exempt: frozenset[Target] = frozenset(),
) -> HttpClient:
    """Return this process's client, always the same one for the same arguments.

    First called after gevent has patched the process, and after any fork.
    """
    return HttpClient(
        allow_private=allow_private,
        version=version,
        before_request=before_request,
        pool_size=pool_size,
        exempt=exempt,
    )
