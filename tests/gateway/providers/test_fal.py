import base64
import itertools
import os
import time
from decimal import Decimal

import pytest

from gateway.providers import errors
from gateway.providers.fal import FalAdapter
from tests.core.http.upstream import Exchange, Route, Upstream
from tests.gateway.providers.conftest import KEY, MakeCall

JOB = "764cabcf-b745-4b3e-ae38-1200304cf45b"
MODEL = "fal-ai/flux-pro/v1.1"
SUBMIT = f"/q/{MODEL}"
RESULT = f"/q/fal-ai/flux-pro/requests/{JOB}"
STATUS = f"{RESULT}/status"
CANCEL = f"{RESULT}/cancel"


def detail(kind: str, where: tuple[str, ...] = ("body", "prompt"), message: str = "No."):
    return {"detail": [{"loc": list(where), "msg": message, "type": kind}]}


def queue(
    upstream: Upstream,
    *,
    result: object = None,
    states: tuple[str, ...] = ("COMPLETED",),
    status: int = 200,
    headers: dict[str, str] | None = None,
    **state: object,
) -> None:
    """Make the server a queue with one job, whose URLs in answers lead elsewhere."""
    trap = "http://127.0.0.1:1/trap"
    links = {"request_id": JOB, "status_url": trap, "response_url": trap, "cancel_url": trap}
    upstream.answers("POST", SUBMIT, {"status": "IN_QUEUE", "queue_position": 0, **links})
    words = itertools.chain(states, itertools.repeat(states[-1]))

    def tell(exchange):
        word = next(words)
        code = 200 if word == "COMPLETED" else 202
        more = state if word == "COMPLETED" else {}
        exchange.reply({"status": word, "logs": None, **links, **more}, status=code)

    upstream.on("GET", STATUS, tell)
    upstream.answers("GET", RESULT, result, status=status, headers=headers or {})
    upstream.answers("PUT", CANCEL, {"status": "CANCELLATION_REQUESTED"}, status=202)


def in_turn(*routes: Route) -> Route:
    """Answer with each route once, then with the last one."""
    steps = itertools.chain(routes, itertools.repeat(routes[-1]))

    def answer(exchange: Exchange) -> None:
        next(steps)(exchange)

    return answer


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": MODEL, **fields}
    return FalAdapter().generate(make_call(f"{upstream.url}/q", **fields))


def picture(images: Upstream, data: bytes, name: str = "/files/a.jpg") -> dict[str, object]:
    images.answers("GET", name, data)
    return {"url": f"{images.url}{name}", "content_type": "image/jpeg"}


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
    assert 2 <= int(submit.headers["x-fal-request-timeout"]) <= 5
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
        ("fal-ai/ideogram/v3", {"quality": "low"}, {"rendering_speed": "TURBO"}),
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
            lambda exchange: exchange.reply({"detail": "Request not found"}, status=404),
            lambda exchange: exchange.reply({"detail": "slow down"}, status=429),
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


def test_job_unknown_to_the_queue_is_given_up(upstream: Upstream, make_call: MakeCall):
    queue(upstream)
    upstream.answers("GET", STATUS, {"detail": "Request not found"}, status=404)

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert raised.value.upstream_request_id == JOB
    assert len(upstream.calls("GET", STATUS)) == 3


def test_deadline_cancels_the_job(upstream: Upstream, make_call: MakeCall):
    queue(upstream, states=("IN_PROGRESS",))
    started = time.monotonic()

    with pytest.raises(errors.ProviderTimedOut) as raised:
        generate(make_call, upstream, seconds=0.7)

    assert raised.value.processed is True
    assert raised.value.upstream_request_id == JOB
    assert len(upstream.calls("PUT", CANCEL)) == 1
    assert 0.6 < time.monotonic() - started < 1.5


def test_cancel_that_hangs_or_fails_changes_nothing(upstream: Upstream, make_call: MakeCall):
    for route in (lambda exchange: exchange.hang(), lambda exchange: exchange.drop()):
        queue(upstream, states=("IN_PROGRESS",))
        upstream.on("PUT", CANCEL, route)
        started = time.monotonic()
        with pytest.raises(errors.ProviderTimedOut):
            generate(make_call, upstream, seconds=0.4)
        assert time.monotonic() - started < 2.0


def test_silence_at_any_step_ends_at_the_deadline(upstream: Upstream, make_call: MakeCall):
    for method, path in (("POST", SUBMIT), ("GET", STATUS), ("GET", RESULT)):
        queue(upstream, states=("COMPLETED",))
        upstream.on(method, path, lambda exchange: exchange.hang())
        started = time.monotonic()
        with pytest.raises(errors.ProviderTimedOut) as raised:
            generate(make_call, upstream, seconds=0.5)
        assert raised.value.processed is True
        assert 0.4 < time.monotonic() - started < 1.2


BALANCE = {"detail": "User is locked. Reason: Exhausted balance. Top up your balance."}
LOCKED = {"detail": "Cannot access application fal-ai/flux-pro. Authentication is required."}
TOO_LATE = {"detail": "Request timed out", "error_type": "request_timeout"}


@pytest.mark.parametrize(
    ("status", "body", "expected", "processed"),
    [
        (401, LOCKED, errors.BadCredentials, False),
        (403, {"detail": "Forbidden"}, errors.BadCredentials, False),
        (403, BALANCE, errors.OutOfFunds, False),
        (402, b"", errors.OutOfFunds, False),
        (404, {"detail": "Path /v9 not found"}, errors.ModelRetired, False),
        (404, {"detail": 'Application "flux-pro" not found'}, errors.ModelRetired, False),
        (429, {"detail": "Too many requests"}, errors.RateLimited, False),
        (422, detail("missing"), errors.ProviderRejected, False),
        (422, detail("content_policy_violation"), errors.ContentRefused, False),
        (400, {"detail": "bad", "error_type": "bad_request"}, errors.ProviderRejected, False),
        (500, {"detail": "x", "error_type": "internal_error"}, errors.ProviderUnavailable, True),
        (503, b"<html>", errors.ProviderUnavailable, True),
        (302, b"", errors.ProviderUnavailable, False),
    ],
)
def test_refused_submit_is_classified(
    upstream: Upstream,
    make_call: MakeCall,
    saved: list[str],
    status: int,
    body: object,
    expected: type[errors.ProviderError],
    processed: bool,
):
    headers = {"x-fal-request-id": "r1", "Retry-After": "3"}
    upstream.answers("POST", SUBMIT, body, status=status, headers=headers)

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream)

    assert type(raised.value) is expected
    assert (raised.value.upstream_status, raised.value.processed) == (status, processed)
    assert raised.value.upstream_request_id == "r1"
    assert len(upstream.received) == 1
    assert saved == []


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected", "processed"),
    [
        (422, detail("content_policy_violation"), {}, errors.ContentRefused, True),
        (
            422,
            detail("content_policy_violation"),
            {"x-fal-billable-units": "0"},
            errors.ContentRefused,
            False,
        ),
        (422, detail("value_error"), {"x-fal-billable-units": "0"}, errors.ProviderRejected, False),
        (422, detail("value_error"), {"x-fal-billable-units": "1"}, errors.ProviderRejected, True),
        (422, detail("no_media_generated"), {}, errors.BadResponse, True),
        (400, detail("downstream_service_error"), {}, errors.ProviderUnavailable, True),
        (
            422,
            detail("value_error"),
            {"x-fal-retryable": "true"},
            errors.ProviderUnavailable,
            True,
        ),
        (500, detail("internal_server_error"), {}, errors.ProviderUnavailable, False),
        (504, detail("generation_timeout"), {}, errors.ProviderUnavailable, False),
        (
            504,
            TOO_LATE,
            {"x-fal-request-timeout-type": "user"},
            errors.ProviderTimedOut,
            False,
        ),
        (404, {"detail": "Path /v1.1 not found"}, {}, errors.ModelRetired, True),
        (
            499,
            {"detail": "x", "error_type": "client_cancelled"},
            {},
            errors.ProviderUnavailable,
            True,
        ),
    ],
)
def test_failed_job_is_classified_by_its_result(
    upstream: Upstream,
    make_call: MakeCall,
    status: int,
    body: object,
    headers: dict[str, str],
    expected: type[errors.ProviderError],
    processed: bool,
):
    queue(
        upstream,
        result=body,
        status=status,
        headers=headers,
        error=f"Invalid status code: {status}",
        error_type="internal_error",
    )

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream)

    assert type(raised.value) is expected
    assert (raised.value.upstream_status, raised.value.processed) == (status, processed)
    assert raised.value.upstream_request_id == JOB
    assert len(upstream.calls("GET", RESULT)) == 1
    assert len(upstream.calls("POST", SUBMIT)) == 1


def test_rejection_names_the_parameter(upstream: Upstream, make_call: MakeCall):
    body = detail("less_than_equal", ("body", "num_images"), "Too many.")
    queue(upstream, result=body, status=422, error="x")

    with pytest.raises(errors.ProviderRejected) as raised:
        generate(make_call, upstream)

    assert (raised.value.param, raised.value.message) == ("num_images", "Too many.")
    assert raised.value.upstream_code == "less_than_equal"


def test_result_that_stays_broken_is_given_up(upstream: Upstream, make_call: MakeCall):
    queue(upstream, result=b"<html>", status=502)

    with pytest.raises(errors.ProviderUnavailable):
        generate(make_call, upstream)

    assert len(upstream.calls("GET", RESULT)) == 4


def test_flagged_images_are_counted_and_not_fetched(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    items = [picture(images, b"black"), picture(images, b"image", "/files/b.jpg")]
    queue(upstream, result={"images": items, "has_nsfw_concepts": [True, False]})

    result = generate(make_call, upstream, n=2)

    assert [image.data for image in result.images] == [b"image"]
    assert result.refused == 1
    assert images.calls("GET", "/files/a.jpg") == []


def test_all_images_flagged_is_a_refusal(upstream: Upstream, images: Upstream, make_call: MakeCall):
    queue(upstream, result={"images": [picture(images, b"b")], "has_nsfw_concepts": [True]})

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream)

    assert (raised.value.code, raised.value.processed) == ("content_policy_violation", True)
    assert images.received == []


@pytest.mark.parametrize("body", [{"images": []}, {}, {"images": [{}]}, b"[]", {"images": "x"}])
def test_result_without_an_image_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, body: object
):
    queue(upstream, result=body)

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert raised.value.upstream_request_id == JOB


@pytest.mark.parametrize("units", ["NaN", "-1", "x", ""])
def test_nonsense_units_are_not_reported(
    upstream: Upstream, images: Upstream, make_call: MakeCall, units: str
):
    queue(
        upstream,
        result={"images": [picture(images, b"image")]},
        headers={"x-fal-billable-units": units},
    )

    assert generate(make_call, upstream).billable_units is None


def test_image_over_its_limit_is_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    queue(upstream, result={"images": [picture(images, bytes(4_000_001))]})

    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream)


def test_closed_port_is_unavailable_and_not_processed(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        FalAdapter().generate(make_call("http://127.0.0.1:1", upstream_model=MODEL))

    assert raised.value.processed is False
