import os
import time
from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.providers import bfl_job, errors
from gateway.providers.base import Call, Endpoint
from gateway.providers.bfl import BflAdapter
from tests.core.http.upstream import PROMPTLY_S, Upstream
from tests.gateway.providers.bfl_tasks import (
    MODEL,
    POLL,
    SAMPLE,
    SUBMIT,
    TASK,
    generate,
    platform,
    ready,
    sample,
    state,
)
from tests.gateway.providers.conftest import KEY, MakeCall

OFFICIAL = Endpoint(provider="bfl", base_url="https://api.bfl.ai", api_key="k", official=True)
FOREIGN = replace(OFFICIAL, base_url="https://example.test/bfl/", official=False)


def test_generate_submits_polls_and_downloads(
    upstream: Upstream, images: Upstream, make_call: MakeCall, saved: list[str]
):
    data = os.urandom(300_000)
    platform(
        upstream,
        state("Pending"),
        state("Pending", progress=0.5),
        ready(sample(images, data), prompt="a fine cat"),
        ticket={"cost": 4.0, "input_mp": 0, "output_mp": 1.05},
    )
    call = make_call(
        f"{upstream.url}/b/",
        upstream_model=MODEL,
        size_param={"width": 1024, "height": 768},
        quality="high",
        style="vivid",
        moderation="low",
        output_format="png",
        seed=42,
        user="u1",
        extra={"prompt_upsampling": False},
    )

    result = BflAdapter().generate(call)

    (image,) = result.images
    assert (image.data, image.seed, image.revised_prompt) == (data, 42, "a fine cat")
    assert (result.upstream_request_id, result.billable_units) == (TASK, Decimal("4.0"))
    assert (result.refused, result.usage) == (0, None)
    assert call.permit.held
    assert saved == [TASK]
    (submit,) = upstream.calls("POST", SUBMIT)
    assert submit.json() == {
        "prompt": "a cat",
        "width": 1024,
        "height": 768,
        "seed": 42,
        "output_format": "png",
        "safety_tolerance": 5,
        "prompt_upsampling": False,
    }
    assert submit.headers["x-lienzo-hop"] == "1"
    assert [poll.query for poll in upstream.calls("GET", POLL)] == [f"id={TASK}"] * 3
    assert {one.headers["x-key"] for one in upstream.received} == {KEY}
    assert {one.headers["x-extra"] for one in upstream.received} == {"route"}


def test_download_keeps_its_signature_and_carries_no_key(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    platform(upstream, ready(sample(images, b"image")))

    generate(make_call, upstream)

    (request,) = images.received
    assert request.query == "se=2026-11-21T00%3A10%3A00Z&sig=abc%2Fdef"
    assert KEY not in str(request.headers)
    assert "x-key" not in request.headers
    assert "x-extra" not in request.headers


def test_only_what_was_asked_is_sent(upstream: Upstream, images: Upstream, make_call: MakeCall):
    platform(upstream, ready(sample(images, b"image")))

    generate(make_call, upstream)

    assert upstream.calls("POST", SUBMIT)[0].json() == {"prompt": "a cat"}


def test_id_is_saved_before_the_first_poll(
    upstream: Upstream, images: Upstream, make_call: MakeCall, saved: list[str]
):
    seen: list[list[str]] = []
    answer = ready(sample(images, b"image"))

    def watch(exchange):
        seen.append(list(saved))
        exchange.reply(answer)

    platform(upstream, watch)

    generate(make_call, upstream)

    assert seen == [[TASK]]


def test_task_whose_id_cannot_be_saved_is_not_polled(upstream: Upstream, make_call: MakeCall):
    class LeaseLostError(Exception):
        pass

    def refuse(upstream_id):
        raise LeaseLostError

    platform(upstream, state("Pending"))
    call = make_call(f"{upstream.url}/b", upstream_model=MODEL)

    with pytest.raises(LeaseLostError):
        BflAdapter().generate(replace(call, on_submitted=refuse))

    assert len(upstream.received) == 1


def test_resume_collects_without_a_submit(
    upstream: Upstream, images: Upstream, make_call: MakeCall, saved: list[str]
):
    platform(upstream, ready(sample(images, b"image")))

    call = make_call(f"{upstream.url}/b", upstream_model=MODEL)
    result = BflAdapter().resume(call, TASK)

    assert result.images[0].data == b"image"
    assert result.billable_units is None
    assert upstream.calls("POST", SUBMIT) == []
    assert saved == []


def test_cost_told_with_the_result_wins(upstream: Upstream, images: Upstream, make_call: MakeCall):
    answer = {**ready(sample(images, b"image")), "cost": 4.5}
    platform(upstream, answer, ticket={"cost": 3})

    assert generate(make_call, upstream).billable_units == Decimal("4.5")


@pytest.mark.parametrize("cost", [None, True, -1, "nonsense", "NaN", [4]])
def test_nonsense_cost_is_not_reported(
    upstream: Upstream, images: Upstream, make_call: MakeCall, cost: object
):
    platform(upstream, ready(sample(images, b"image")), ticket={"cost": cost})

    assert generate(make_call, upstream).billable_units is None


@pytest.mark.parametrize("bad", ["../../secrets", "a/b", "", "a?b", "a&id=b", "x" * 200, None])
def test_task_id_that_may_not_stand_in_a_url_is_refused(
    upstream: Upstream, make_call: MakeCall, saved: list[str], bad: object
):
    upstream.answers("POST", SUBMIT, {"id": bad})

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(upstream.received) == 1
    assert saved == []


@pytest.mark.parametrize("model", ["flux/../x", "", "flux?x", "a/b", "../credits"])
def test_model_name_that_cannot_exist_is_not_called(
    upstream: Upstream, make_call: MakeCall, model: str
):
    with pytest.raises(errors.ModelRetired):
        generate(make_call, upstream, upstream_model=model)

    assert upstream.received == []


@pytest.mark.parametrize(
    ("endpoint", "polling_url", "saved_id", "polled_at"),
    [
        (
            OFFICIAL,
            "https://api.us1.bfl.ai/v1/get_result?id=t",
            "t@api.us1.bfl.ai",
            "api.us1.bfl.ai",
        ),
        (OFFICIAL, "http://api.eu4.bfl.ai:99/x", "t@api.eu4.bfl.ai", "api.eu4.bfl.ai"),
        (OFFICIAL, "https://api.bfl.ai/v1/get_result?id=t", "t", "api.bfl.ai"),
        (OFFICIAL, "https://api.us1.evil.bfl.ai.test/", "t", "api.bfl.ai"),
        (OFFICIAL, "https://delivery.us1.bfl.ai/v1", "t", "api.bfl.ai"),
        (OFFICIAL, "https://evil.test/v1/get_result?id=t", "t", "api.bfl.ai"),
        (OFFICIAL, "https://api.us1.bfl.ai.evil.test/", "t", "api.bfl.ai"),
        (OFFICIAL, "https://user@evil.test:443/api.us1.bfl.ai", "t", "api.bfl.ai"),
        (OFFICIAL, "http://[", "t", "api.bfl.ai"),
        (OFFICIAL, None, "t", "api.bfl.ai"),
        (FOREIGN, "https://api.us1.bfl.ai/v1/get_result?id=t", "t", "example.test/bfl"),
    ],
)
def test_task_is_polled_at_its_cluster_but_at_no_other_place(
    endpoint: Endpoint, polling_url: object, saved_id: str, polled_at: str
):
    found = bfl_job.upstream_id(endpoint, {"id": "t", "polling_url": polling_url})

    assert found == saved_id
    assert bfl_job.polling_url(endpoint, found) == f"https://{polled_at}/v1/get_result?id=t"


def test_cluster_of_a_saved_id_gets_the_key_of_its_provider_only():
    url = bfl_job.polling_url(FOREIGN, "t@api.us1.bfl.ai")

    assert url == "https://example.test/bfl/v1/get_result?id=t"
    with pytest.raises(errors.BadResponse):
        bfl_job.polling_url(OFFICIAL, "t@evil.test")


def test_cluster_is_saved_with_the_id(upstream: Upstream, make_call: MakeCall):
    class EnoughError(Exception):
        pass

    kept: list[str] = []

    def keep(upstream_id):
        kept.append(upstream_id)
        raise EnoughError

    ticket: dict[str, object] = {"polling_url": "https://api.us1.bfl.ai/v1/get_result"}
    platform(upstream, state("Pending"), ticket=ticket)
    call: Call = make_call(f"{upstream.url}/b", upstream_model=MODEL)
    call = replace(call, endpoint=replace(call.endpoint, official=True), on_submitted=keep)

    with pytest.raises(EnoughError):
        BflAdapter().generate(call)

    assert kept == [f"{TASK}@api.us1.bfl.ai"]


def test_broken_polls_are_repeated_without_a_new_submit(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    platform(
        upstream,
        lambda exchange: exchange.reply(b"<html>", status=502),
        lambda exchange: exchange.drop(),
        lambda exchange: exchange.reply({"detail": "slow down"}, status=429),
        b"nonsense",
        b"[]",
        state("Some new word of waiting"),
        lambda exchange: exchange.reply(state("Task not found"), status=404),
        state("Task not found"),
        ready(sample(images, b"image")),
    )

    answer = generate(make_call, upstream, seconds=20)

    assert answer.images[0].data == b"image"
    assert len(upstream.calls("POST", SUBMIT)) == 1


def test_chunked_answers_and_images_are_read(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    def chunked(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (b"ab", b"cde"):
            exchange.raw(b"%x\r\n%s\r\n" % (len(part), part))
        exchange.raw(b"0\r\n\r\n")

    url = sample(images, b"")
    images.on("GET", SAMPLE, chunked)
    platform(upstream, ready(url))

    assert generate(make_call, upstream).images[0].data == b"abcde"


def test_redirected_image_is_followed_without_the_key(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    images.answers("GET", "/elsewhere", b"image")
    url = sample(images, b"")
    images.answers("GET", SAMPLE, status=302, headers={"Location": "/elsewhere"})
    platform(upstream, ready(url))

    assert generate(make_call, upstream).images[0].data == b"image"
    assert KEY not in str([one.headers for one in images.received])


def test_deadline_ends_a_slow_task(upstream: Upstream, make_call: MakeCall):
    platform(upstream, state("Pending"))
    started = time.monotonic()

    with pytest.raises(errors.ProviderTimedOut) as raised:
        generate(make_call, upstream, seconds=0.7)

    assert (raised.value.processed, raised.value.upstream_request_id) == (True, TASK)
    assert len(upstream.calls("POST", SUBMIT)) == 1
    assert 0.6 < time.monotonic() - started < PROMPTLY_S


def test_silence_at_any_step_ends_at_the_deadline(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    for server, method, path in (
        (upstream, "POST", SUBMIT),
        (upstream, "GET", POLL),
        (images, "GET", SAMPLE),
    ):
        platform(upstream, ready(sample(images, b"image")))
        server.on(method, path, lambda exchange: exchange.hang())
        started = time.monotonic()
        with pytest.raises(errors.ProviderTimedOut) as raised:
            generate(make_call, upstream, seconds=0.5)
        assert raised.value.processed is True
        assert 0.4 < time.monotonic() - started < PROMPTLY_S
