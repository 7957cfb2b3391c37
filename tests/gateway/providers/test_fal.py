import base64
import os
import time
from decimal import Decimal

import pytest

from gateway.providers import errors
from gateway.providers.fal import FalAdapter
from tests.core.http.upstream import PROMPTLY_S, Upstream
from tests.gateway.providers.conftest import KEY, MakeCall
from tests.gateway.providers.fal_queue import (
    CANCEL,
    JOB,
    MODEL,
    RESULT,
    STATUS,
    SUBMIT,
    generate,
    in_turn,
    picture,
    queue,
)


def test_generate_submits_polls_and_downloads(
    upstream: Upstream, images: Upstream, make_call: MakeCall, saved: list[str]
):
    first, second = os.urandom(300_000), os.urandom(300_000)
    queue(
        upstream,
        states=("IN_QUEUE", "IN_PROGRESS", "COMPLETED"),
        result={
            "images": [picture(images, first), picture(images, second, "/files/b.jpg")],
            "seed": 42,
            "has_nsfw_concepts": [False, False],
            "prompt": "a fine cat",
        },
        headers={"x-fal-billable-units": "1.50"},
    )
    call = make_call(
        f"{upstream.url}/q/",
        upstream_model=MODEL,
        n=2,
        size_param={"image_size": {"width": 1024, "height": 768}},
        quality="high",
        style="vivid",
        output_format="png",
        seed=42,
        user="u1",
        extra={"safety_tolerance": "2"},
    )

    result = FalAdapter().generate(call)

    assert [image.data for image in result.images] == [first, second]
    assert {image.seed for image in result.images} == {42}
    assert {image.revised_prompt for image in result.images} == {"a fine cat"}
    assert result.upstream_request_id == JOB
    assert result.billable_units == Decimal("1.50")
    assert (result.refused, result.usage) == (0, None)
    assert call.permit.held
    assert saved == [JOB]
    (submit,) = upstream.calls("POST", SUBMIT)
    assert submit.headers["authorization"] == f"Key {KEY}"
    assert submit.headers["x-lienzo-hop"] == "1"
    assert 10 <= int(submit.headers["x-fal-request-timeout"]) <= 20
    assert submit.json() == {
        "prompt": "a cat",
        "image_size": {"width": 1024, "height": 768},
        "num_images": 2,
        "output_format": "png",
        "seed": 42,
        "safety_tolerance": "2",
    }
    assert len(upstream.calls("GET", STATUS)) == 3
    assert len(upstream.calls("GET", RESULT)) == 1
    assert {request.headers["authorization"] for request in upstream.received} == {f"Key {KEY}"}


def test_downloads_carry_no_key(upstream: Upstream, images: Upstream, make_call: MakeCall):
    queue(upstream, result={"images": [picture(images, b"image")]})

    generate(make_call, upstream)

    (request,) = images.received
    assert KEY not in str(request.headers)
    assert "x-extra" not in request.headers


def test_image_in_our_own_network_is_refused(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    queue(upstream, result={"images": [picture(images, b"image")]})

    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream, allow_private=False)

    assert images.received == []


@pytest.mark.parametrize(
    ("model", "fields", "body"),
    [
        ("fal-ai/fast-sdxl", {"output_format": "png"}, {"format": "png"}),
        (
            "fal-ai/ideogram/v2",
            {"size_param": {"aspect_ratio": "16:9"}, "style": "realistic"},
            {"aspect_ratio": "16:9", "style": "realistic"},
        ),
        ("fal-ai/ideogram/v3", {"quality": "BALANCED"}, {"rendering_speed": "BALANCED"}),
        ("fal-ai/flux/schnell", {"quality": "high", "style": "vivid"}, {}),
        (
            "fal-ai/recraft/v3/text-to-image",
            {"style": "vector_illustration"},
            {"style": "vector_illustration"},
        ),
    ],
)
def test_each_endpoint_gets_its_own_fields(
    upstream: Upstream,
    make_call: MakeCall,
    model: str,
    fields: dict[str, object],
    body: dict[str, object],
):
    upstream.answers("POST", f"/q/{model}", {"detail": "no"}, status=400)

    with pytest.raises(errors.ProviderRejected):
        generate(make_call, upstream, upstream_model=model, **fields)

    assert upstream.received[0].json() == {"prompt": "a cat", **body}


def test_id_is_saved_before_the_first_poll(
    upstream: Upstream, images: Upstream, make_call: MakeCall, saved: list[str]
):
    seen: list[list[str]] = []
    queue(upstream, result={"images": [picture(images, b"image")]})
    tell = upstream.routes["GET", STATUS]

    def watch(exchange):
        seen.append(list(saved))
        tell(exchange)

    upstream.on("GET", STATUS, watch)

    generate(make_call, upstream)

    assert seen[0] == [JOB]


def test_job_whose_id_cannot_be_saved_is_canceled(upstream: Upstream, make_call: MakeCall):
    class LeaseLostError(Exception):
        pass

    def refuse(upstream_id):
        raise LeaseLostError

    queue(upstream)
    call = make_call(f"{upstream.url}/q", upstream_model=MODEL)
    object.__setattr__(call, "on_submitted", refuse)

    with pytest.raises(LeaseLostError):
        FalAdapter().generate(call)

    assert len(upstream.calls("PUT", CANCEL)) == 1
    assert upstream.calls("GET", STATUS) == []


def test_resume_collects_without_a_submit(
    upstream: Upstream, images: Upstream, make_call: MakeCall, saved: list[str]
):
    queue(upstream, result={"images": [picture(images, b"image")]})

    result = FalAdapter().resume(make_call(f"{upstream.url}/q", upstream_model=MODEL), JOB)

    assert result.images[0].data == b"image"
    assert upstream.calls("POST", SUBMIT) == []
    assert saved == []


@pytest.mark.parametrize("bad", ["../../secrets", "a/b", "", "a?b", "a%2fb", ".", "x" * 200])
def test_job_id_that_is_no_path_segment_is_refused(
    upstream: Upstream, make_call: MakeCall, saved: list[str], bad: str
):
    upstream.answers("POST", SUBMIT, {"request_id": bad})

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)
    with pytest.raises(errors.BadResponse):
        FalAdapter().resume(make_call(f"{upstream.url}/q", upstream_model=MODEL), bad)

    assert raised.value.processed is True
    assert len(upstream.received) == 1
    assert saved == []


@pytest.mark.parametrize("model", ["flux", "fal-ai/../x", "fal-ai//x", "fal-ai/flux?x", "a/b/"])
def test_endpoint_name_that_cannot_exist_is_not_called(
    upstream: Upstream, make_call: MakeCall, model: str
):
    with pytest.raises(errors.ModelRetired):
        generate(make_call, upstream, upstream_model=model)

    assert upstream.received == []


def test_data_uris_are_decoded(upstream: Upstream, make_call: MakeCall):
    data = os.urandom(500_000)
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    queue(upstream, result={"images": [{"url": uri}]})

    assert generate(make_call, upstream).images[0].data == data


def test_broken_polls_and_results_are_repeated_without_a_new_submit(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    result = {"images": [picture(images, b"image")]}
    queue(upstream)
    upstream.on(
        "GET",
        STATUS,
        in_turn(
            lambda exchange: exchange.reply(b"<html>", status=502),
            lambda exchange: exchange.drop(),
            lambda exchange: exchange.reply(b"nonsense"),
            lambda exchange: exchange.reply({"status": "COMPLETED"}),
        ),
    )
    upstream.on(
        "GET",
        RESULT,
        in_turn(
            lambda exchange: exchange.reply({"detail": "Request is still in progress"}, status=400),
            lambda exchange: exchange.reply(b"<html>", status=503),
            lambda exchange: exchange.drop(),
            lambda exchange: exchange.reply(result),
        ),
    )

    answer = generate(make_call, upstream, seconds=15)

    assert answer.images[0].data == b"image"
    assert len(upstream.calls("POST", SUBMIT)) == 1


def test_deadline_cancels_the_job(upstream: Upstream, make_call: MakeCall):
    queue(upstream, states=("IN_PROGRESS",))
    started = time.monotonic()

    with pytest.raises(errors.ProviderTimedOut) as raised:
        generate(make_call, upstream, seconds=0.7)

    assert raised.value.processed is True
    assert raised.value.upstream_request_id == JOB
    assert len(upstream.calls("PUT", CANCEL)) == 1
    assert 0.6 < time.monotonic() - started < PROMPTLY_S


def test_cancel_that_hangs_or_fails_changes_nothing(upstream: Upstream, make_call: MakeCall):
    for route in (lambda exchange: exchange.hang(), lambda exchange: exchange.drop()):
        queue(upstream, states=("IN_PROGRESS",))
        upstream.on("PUT", CANCEL, route)
        started = time.monotonic()
        with pytest.raises(errors.ProviderTimedOut):
            generate(make_call, upstream, seconds=0.4)
        assert time.monotonic() - started < PROMPTLY_S


def test_silence_at_any_step_ends_at_the_deadline(upstream: Upstream, make_call: MakeCall):
    for method, path in (("POST", SUBMIT), ("GET", STATUS), ("GET", RESULT)):
        queue(upstream, states=("COMPLETED",))
        upstream.on(method, path, lambda exchange: exchange.hang())
        started = time.monotonic()
        with pytest.raises(errors.ProviderTimedOut) as raised:
            generate(make_call, upstream, seconds=0.5)
        assert raised.value.processed is True
        assert 0.4 < time.monotonic() - started < PROMPTLY_S
