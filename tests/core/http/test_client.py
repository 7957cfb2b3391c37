import gzip
import os
import threading
import time
from email import message_from_bytes

import pytest

from core.http.client import HttpClient, shared_client
from core.http.errors import (
    BodyInvalid,
    BodyTooLarge,
    ConnectFailed,
    HttpError,
    InvalidTarget,
    OutOfFiles,
    ReadFailed,
    TimedOut,
)
from tests.core.http.files import no_files_left
from tests.core.http.upstream import PROMPTLY_S, Upstream


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def test_open_sends_json_with_our_headers(upstream: Upstream, client: HttpClient):
    upstream.answers("POST", "/v1/x", {"ok": True}, headers={"X-Request-Id": "r1"})

    with client.open(
        "POST",
        f"{upstream.url}/v1/x",
        deadline=soon(),
        headers={"Authorization": "k"},
        json={"a": 1},
    ) as answer:
        body = answer.read_json(limit=100)

    (request,) = upstream.received
    assert body == {"ok": True}
    assert (answer.status, answer.headers["x-request-id"]) == (200, "r1")
    assert request.json() == {"a": 1}
    assert request.headers["user-agent"] == "Lienzo/1.2.3"
    assert request.headers["x-lienzo-hop"] == "1"
    assert request.headers["authorization"] == "k"
    assert request.headers["content-type"] == "application/json"


def test_open_sends_a_form_with_repeated_fields(upstream: Upstream, client: HttpClient):
    upstream.answers("POST", "/v1/x", {"ok": True})
    fields = [("prompt", 'Ein "Fuchs"\r\n--x 狐'), ("code", "a"), ("code", "b")]

    client.open("POST", f"{upstream.url}/v1/x", deadline=soon(), form=fields).close()

    (request,) = upstream.received
    parsed = message_from_bytes(
        f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode() + request.body
    )
    assert parsed.get_content_type() == "multipart/form-data"
    found = [
        (part.get_param("name", header="content-disposition"), part.get_payload(decode=True))
        for part in parsed.walk()
        if not part.is_multipart()
    ]
    assert found == [(name, value.encode()) for name, value in fields]


def test_open_returns_before_the_body_is_sent(upstream: Upstream, client: HttpClient):
    has_returned = threading.Event()

    def slow(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        exchange.raw(b"ok" if has_returned.wait(10) else b"no")

    upstream.on("GET", "/", slow)

    with client.open("GET", f"{upstream.url}/", deadline=soon()) as answer:
        has_returned.set()
        body = answer.read_body(limit=10)

    assert body == b"ok"


def test_connection_is_reused_after_a_body_was_read(upstream: Upstream, client: HttpClient):
    upstream.answers("GET", "/", b"x" * 200_000)

    for _ in range(3):
        with client.open("GET", f"{upstream.url}/", deadline=soon()) as answer:
            answer.read_body(limit=200_000)

    assert len({request.connection for request in upstream.received}) == 1


def test_cookies_and_proxies_of_the_environment_are_ignored(
    upstream: Upstream, client: HttpClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    upstream.answers("GET", "/", headers={"Set-Cookie": "a=b; Path=/"})

    for _ in range(2):
        client.open("GET", f"{upstream.url}/", deadline=soon()).close()

    assert len(upstream.received) == 2
    assert all("cookie" not in request.headers for request in upstream.received)


def test_redirect_of_a_call_is_returned_not_followed(upstream: Upstream, client: HttpClient):
    upstream.answers("GET", "/a", status=302, headers={"Location": f"{upstream.url}/b"})

    with client.open("GET", f"{upstream.url}/a", deadline=soon()) as answer:
        assert answer.status == 302

    assert upstream.calls("GET", "/b") == []


def test_body_longer_than_its_limit_is_refused_by_the_announced_length(
    upstream: Upstream, client: HttpClient
):
    upstream.on(
        "GET",
        "/",
        lambda exchange: exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n"),
    )

    started = time.monotonic()
    with (
        client.open("GET", f"{upstream.url}/", deadline=soon()) as answer,
        pytest.raises(BodyTooLarge),
    ):
        answer.read_body(limit=1000)

    assert time.monotonic() - started < PROMPTLY_S


def test_body_longer_than_its_limit_is_refused_without_a_length(
    upstream: Upstream, client: HttpClient
):
    def chunked(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            exchange.raw(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        exchange.raw(b"0\r\n\r\n")

    upstream.on("GET", "/", chunked)

    with client.open("GET", f"{upstream.url}/", deadline=soon()) as answer:
        assert len(answer.read_body(limit=100_000)) == 100_000
    with (
        client.open("GET", f"{upstream.url}/", deadline=soon()) as answer,
        pytest.raises(BodyTooLarge),
    ):
        answer.read_body(limit=99_999)


def test_compressed_body_is_limited_by_its_real_length(upstream: Upstream, client: HttpClient):
    bomb = gzip.compress(bytes(20_000_000))
    upstream.answers("GET", "/", bomb, headers={"Content-Encoding": "gzip"})

    with (
        client.open("GET", f"{upstream.url}/", deadline=soon()) as answer,
        pytest.raises(BodyTooLarge),
    ):
        answer.read_body(limit=1_000_000)


def test_compressed_body_is_decompressed(upstream: Upstream, client: HttpClient):
    data = os.urandom(300_000)
    upstream.answers("GET", "/", gzip.compress(data), headers={"Content-Encoding": "gzip"})

    with client.open("GET", f"{upstream.url}/", deadline=soon()) as answer:
        assert answer.read_body(limit=300_000) == data


def test_body_that_is_not_json_is_invalid(upstream: Upstream, client: HttpClient):
    upstream.answers("GET", "/", b"<html>")

    with (
        client.open("GET", f"{upstream.url}/", deadline=soon()) as answer,
        pytest.raises(BodyInvalid),
    ):
        answer.read_json(limit=100)


def test_refused_connection_was_not_processed(client: HttpClient):
    with pytest.raises(ConnectFailed) as raised:
        client.open("POST", "http://127.0.0.1:1/", deadline=soon(), json={})

    assert raised.value.processed is False


def test_a_connection_for_which_no_file_is_left_is_told_apart(
    upstream: Upstream, client: HttpClient
):
    upstream.answers("POST", "/", b"{}")
    name = f"http://localhost:{upstream.url.rpartition(':')[2]}/"
    calls = [
        lambda: client.open("POST", f"{upstream.url}/", deadline=soon(), json={}),
        lambda: client.open("POST", name, deadline=soon(), json={}),
        lambda: client.post_guarded(f"{upstream.url}/", deadline=soon(), headers={}, body=b"{}"),
        lambda: client.post_guarded(name, deadline=soon(), headers={}, body=b"{}"),
    ]

    failures = []
    with no_files_left():
        for call in calls:
            with pytest.raises(ConnectFailed) as raised:
                call()
            failures.append(raised.value)

    assert [(type(one), one.processed) for one in failures] == [(OutOfFiles, False)] * 4
    client.open("POST", f"{upstream.url}/", deadline=soon(), json={}).close()


def test_unknown_host_was_not_processed(client: HttpClient):
    with pytest.raises(ConnectFailed) as raised:
        client.open("POST", "http://nowhere.invalid/", deadline=soon(), json={})

    assert raised.value.processed is False


def test_connection_cut_after_the_request_may_be_processed(upstream: Upstream, client: HttpClient):
    upstream.on("POST", "/", lambda exchange: exchange.drop())

    with pytest.raises(ReadFailed) as raised:
        client.open("POST", f"{upstream.url}/", deadline=soon(), json={})

    assert raised.value.processed is True
    assert len(upstream.received) == 1


def test_body_shorter_than_announced_fails(upstream: Upstream, client: HttpClient):
    def cut(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        exchange.drop()

    upstream.on("GET", "/", cut)

    with (
        client.open("GET", f"{upstream.url}/", deadline=soon()) as answer,
        pytest.raises(ReadFailed),
    ):
        answer.read_body(limit=100)


def test_answer_that_is_not_http_fails(upstream: Upstream, client: HttpClient):
    def nonsense(exchange):
        exchange.raw(b"220 mail ready\r\n")
        exchange.drop()

    upstream.on("GET", "/", nonsense)

    with pytest.raises(ReadFailed):
        client.open("GET", f"{upstream.url}/", deadline=soon())


def test_silence_ends_at_the_deadline(upstream: Upstream, client: HttpClient):
    upstream.on("POST", "/", lambda exchange: exchange.hang())
    started = time.monotonic()

    with pytest.raises(TimedOut) as raised:
        client.open("POST", f"{upstream.url}/", deadline=soon(0.4), json={})

    assert raised.value.processed is True
    assert 0.35 < time.monotonic() - started < PROMPTLY_S


def test_dripping_body_ends_at_the_deadline(upstream: Upstream, client: HttpClient):
    def drip(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        exchange.drip(bytes(100), every_s=0.1)

    upstream.on("GET", "/", drip)
    started = time.monotonic()

    with (
        client.open("GET", f"{upstream.url}/", deadline=soon(0.5)) as answer,
        pytest.raises(TimedOut),
    ):
        answer.read_body(limit=1000)

    assert 0.45 < time.monotonic() - started < PROMPTLY_S


def test_call_after_its_deadline_sends_nothing(upstream: Upstream, client: HttpClient):
    with pytest.raises(TimedOut) as raised:
        client.open("GET", f"{upstream.url}/", deadline=time.monotonic() - 1)

    assert raised.value.processed is False
    assert upstream.received == []


@pytest.mark.parametrize(
    "url", ["ftp://example.test/x", "file:///etc/passwd", "http://", "http://u:p@127.0.0.1/", "//x"]
)
def test_unusable_url_is_an_invalid_target(client: HttpClient, url: str):
    with pytest.raises(InvalidTarget) as raised:
        client.open("GET", url, deadline=soon())

    assert raised.value.processed is False


def test_header_that_cannot_be_sent_was_not_processed(upstream: Upstream, client: HttpClient):
    for value in ("a\nb", "snow ☃"):
        with pytest.raises(HttpError) as raised:
            client.open("GET", f"{upstream.url}/", deadline=soon(), headers={"A": value})
        assert raised.value.processed is False

    assert upstream.received == []


def test_before_request_stops_calls_and_downloads(upstream: Upstream):
    class TransactionOpenError(Exception):
        pass

    def refuse():
        raise TransactionOpenError

    client = HttpClient(allow_private=True, version="1", before_request=refuse)

    with pytest.raises(TransactionOpenError):
        client.open("GET", f"{upstream.url}/", deadline=soon())
    with pytest.raises(TransactionOpenError):
        client.open_download(f"{upstream.url}/", deadline=soon())
    assert upstream.received == []


def test_shared_client_is_one_per_process():
    first = shared_client(allow_private=True, version="1")

    assert shared_client(allow_private=True, version="1") is first
    assert shared_client(allow_private=False, version="1") is not first
