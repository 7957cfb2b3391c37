import time

import orjson
import pytest

from gateway.providers import errors
from gateway.providers.ideogram import IdeogramAdapter
from tests.core.http.upstream import PROMPTLY_S, Upstream
from tests.gateway.providers.conftest import MakeCall
from tests.gateway.providers.ideogram_api import LEGACY, V3, answer, generate, item, picture

UNSAFE = {"error": "Prompt or provided image failed the safety checks"}
BAD_INPUT = {"error": "Invalid resolution"}
NO_CREDITS = {"error": "You have run out of credits."}


@pytest.mark.parametrize("model", ["V_2", "ideogram-v3"])
@pytest.mark.parametrize(
    ("status", "body", "expected", "processed"),
    [
        (400, BAD_INPUT, errors.ProviderRejected, False),
        (400, b"", errors.ProviderRejected, False),
        (401, {"error": "Unauthorized"}, errors.BadCredentials, False),
        (401, b"", errors.BadCredentials, False),
        (402, b"", errors.OutOfFunds, False),
        (403, NO_CREDITS, errors.OutOfFunds, False),
        (403, {"error": "Forbidden"}, errors.BadCredentials, False),
        (404, {"error": "Not found"}, errors.ModelRetired, False),
        (413, b"", errors.ProviderRejected, False),
        (422, UNSAFE, errors.ContentRefused, False),
        (422, b"", errors.ContentRefused, False),
        (422, {"error": "num_images must be a number"}, errors.ProviderRejected, False),
        (429, {"error": "Too many requests"}, errors.RateLimited, False),
        (429, b"slow down", errors.RateLimited, False),
        (500, {"error": "Failed the safety checks"}, errors.ProviderUnavailable, True),
        (502, b"<html>Bad gateway</html>", errors.ProviderUnavailable, True),
        (503, {"error": "Unavailable"}, errors.ProviderUnavailable, True),
        (504, b"", errors.ProviderUnavailable, True),
        (408, b"", errors.ProviderUnavailable, True),
    ],
)
def test_failed_answer_is_classified(
    upstream: Upstream,
    make_call: MakeCall,
    model: str,
    status: int,
    body: object,
    expected: type[errors.ProviderError],
    processed: bool,
):
    for path in (LEGACY, V3):
        upstream.answers("POST", path, body, status=status)

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream, upstream_model=model)

    assert type(raised.value) is expected
    assert (raised.value.upstream_status, raised.value.processed) == (status, processed)
    assert len(upstream.received) == 1


def test_refusal_and_rejection_keep_the_words_of_the_upstream(
    upstream: Upstream, make_call: MakeCall
):
    upstream.answers("POST", LEGACY, UNSAFE, status=422)
    with pytest.raises(errors.ContentRefused) as refused:
        generate(make_call, upstream)
    upstream.answers("POST", LEGACY, BAD_INPUT, status=400)
    with pytest.raises(errors.ProviderRejected) as rejected:
        generate(make_call, upstream)

    assert (refused.value.code, refused.value.message) == (
        "content_policy_violation",
        UNSAFE["error"],
    )
    assert rejected.value.message == "Invalid resolution"


@pytest.mark.parametrize("status", [429, 503])
def test_advice_to_wait_is_passed_on(upstream: Upstream, make_call: MakeCall, status: int):
    upstream.answers("POST", LEGACY, b"", status=status, headers={"Retry-After": "7"})

    with pytest.raises(errors.RetryableError) as raised:
        generate(make_call, upstream)

    assert raised.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[]",
        {"created": "2026-11-21T10:00:00+00:00"},
        {"data": []},
        {"data": None},
        {"data": [{}]},
        {"data": ["https://host/a.png"]},
        {"data": [{"url": None, "is_image_safe": True}]},
        {"data": [{"url": "ftp://host/a.png", "is_image_safe": True}]},
        {"data": [{"url": 7, "is_image_safe": True}]},
        {"error": "exploded"},
    ],
)
def test_answer_without_an_image_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, body: object
):
    upstream.answers("POST", LEGACY, body)

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert (raised.value.processed, raised.value.upstream_status) == (True, 200)


def test_truncated_answer_may_have_been_billed(upstream: Upstream, make_call: MakeCall):
    def cut(exchange):
        body = orjson.dumps(answer(item("https://host/a.png")))
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        exchange.raw(head.encode() + body[:40])
        exchange.drop()

    upstream.on("POST", LEGACY, cut)

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(upstream.received) == 1


@pytest.mark.parametrize("status", [403, 404, 410])
def test_expired_image_is_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall, status: int
):
    url = picture(images, b"")
    images.answers("GET", "/api/images/ephemeral/a.png", b"expired", status=status)
    upstream.answers("POST", V3, answer(item(url)))

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream, upstream_model="ideogram-v3")

    assert (raised.value.upstream_status, raised.value.processed) == (status, True)
    assert len(images.received) == (1 if status == 410 else 3)


def test_truncated_image_is_fetched_again(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    url = picture(images, b"")
    tries: list[int] = []

    def cut_once(exchange):
        tries.append(1)
        if len(tries) > 1:
            return exchange.reply(b"image")
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return exchange.drop()

    images.on("GET", "/api/images/ephemeral/a.png", cut_once)
    upstream.answers("POST", LEGACY, answer(item(url)))

    assert generate(make_call, upstream).images[0].data == b"image"
    assert (len(tries), len(upstream.received)) == (2, 1)


@pytest.mark.parametrize("announced", [True, False])
def test_image_over_its_limit_is_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall, announced: bool
):
    big = bytes(4_000_001)

    def endless(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + big)
        exchange.drop()

    url = picture(images, big)
    if not announced:
        images.on("GET", "/api/images/ephemeral/a.png", endless)
    upstream.answers("POST", LEGACY, answer(item(url)))

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True


def test_closed_port_is_unavailable_and_not_processed(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        IdeogramAdapter().generate(make_call("http://127.0.0.1:1", upstream_model="ideogram-v3"))

    assert raised.value.processed is False


def test_cut_connection_is_unavailable_and_maybe_processed(upstream: Upstream, make_call: MakeCall):
    upstream.on("POST", LEGACY, lambda exchange: exchange.drop())

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(upstream.received) == 1


def test_silence_and_drip_end_at_the_deadline(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    def drip(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
        exchange.drip(bytes(200), every_s=0.05)

    for route in (lambda exchange: exchange.hang(), drip):
        for server, path in ((upstream, LEGACY), (images, "/api/images/ephemeral/a.png")):
            upstream.answers("POST", LEGACY, answer(item(picture(images, b"image"))))
            server.on("POST" if server is upstream else "GET", path, route)
            started = time.monotonic()
            with pytest.raises(errors.ProviderTimedOut) as raised:
                generate(make_call, upstream, seconds=0.5)
            assert raised.value.processed is True
            assert 0.4 < time.monotonic() - started < PROMPTLY_S
