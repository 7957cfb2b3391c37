import pytest

from gateway.providers import errors
from gateway.providers.fal import FalAdapter
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import MakeCall
from tests.gateway.providers.fal_queue import (
    JOB,
    MODEL,
    RESULT,
    STATUS,
    SUBMIT,
    detail,
    generate,
    picture,
    queue,
)


def test_job_unknown_to_the_queue_is_given_up(upstream: Upstream, make_call: MakeCall):
    queue(upstream)
    upstream.answers("GET", STATUS, {"detail": "Request not found"}, status=404)

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert raised.value.upstream_request_id == JOB
    assert len(upstream.calls("GET", STATUS)) == 3


BALANCE = {"detail": "User is locked. Reason: Exhausted balance. Top up your balance."}
LOCKED = {"detail": "Cannot access application fal-ai/flux-pro. Authentication is required."}
TOO_LATE = {"detail": "Request timed out", "error_type": "request_timeout"}


@pytest.mark.parametrize(
    ("status", "body", "expected", "processed"),
    [
        (401, LOCKED, errors.BadCredentials, False),
        (403, {"detail": "Forbidden"}, errors.ModelForbidden, False),
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
