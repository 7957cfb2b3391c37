import pytest

from gateway.providers import errors
from gateway.providers.bfl import BflAdapter
from tests.core.http.upstream import Upstream
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
from tests.gateway.providers.conftest import MakeCall

INVALID = {"detail": [{"loc": ["body", "width"], "msg": "Too wide.", "type": "less_than_equal"}]}


@pytest.mark.parametrize(
    ("status", "body", "expected", "processed"),
    [
        (400, {"detail": "bad request"}, errors.ProviderRejected, False),
        (402, {"detail": "Insufficient credits"}, errors.OutOfFunds, False),
        (401, {"detail": "no"}, errors.BadCredentials, False),
        (403, {"detail": "Not authenticated"}, errors.BadCredentials, False),
        (404, {"detail": "Not Found"}, errors.ModelRetired, False),
        (422, INVALID, errors.ProviderRejected, False),
        (422, {"detail": []}, errors.ProviderRejected, False),
        (429, {"detail": "Too many active tasks"}, errors.RateLimited, False),
        (500, {"detail": "Internal error"}, errors.ProviderUnavailable, True),
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
    headers = {"Retry-After": "3", "Location": "/elsewhere"}
    upstream.answers("POST", SUBMIT, body, status=status, headers=headers)

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream)

    assert type(raised.value) is expected
    assert (raised.value.upstream_status, raised.value.processed) == (status, processed)
    if isinstance(raised.value, errors.RetryableError):
        assert raised.value.retry_after_s == 3
    assert len(upstream.received) == 1
    assert saved == []


def test_rejection_names_the_parameter(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", SUBMIT, INVALID, status=422)

    with pytest.raises(errors.ProviderRejected) as raised:
        generate(make_call, upstream)

    assert (raised.value.param, raised.value.message) == ("width", "Too wide.")
    assert raised.value.upstream_code == "less_than_equal"


@pytest.mark.parametrize("word", ["Request Moderated", "Content Moderated"])
def test_moderated_task_is_a_refusal_free_of_charge(
    upstream: Upstream, make_call: MakeCall, word: str
):
    reasons = {"Moderation Reasons": ["Violence", "Derivative Works Filter"]}
    platform(upstream, state("Pending"), state(word, details=reasons), ticket={"cost": 4})

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream)

    refusal = raised.value
    assert (refusal.code, refusal.upstream_code) == ("content_policy_violation", word)
    assert (refusal.processed, refusal.upstream_status) == (False, 200)
    assert refusal.message == "Violence, Derivative Works Filter"
    assert refusal.upstream_request_id == TASK


@pytest.mark.parametrize("details", [None, {}, {"Moderation Reasons": None}, ["x"]])
def test_moderation_without_reasons_is_a_refusal(
    upstream: Upstream, make_call: MakeCall, details: object
):
    platform(upstream, state("Request Moderated", details=details))

    with pytest.raises(errors.ContentRefused, match="Request Moderated"):
        generate(make_call, upstream)


@pytest.mark.parametrize("word", ["Error", "Failed"])
def test_failed_task_may_be_tried_again_and_costs_nothing(
    upstream: Upstream, make_call: MakeCall, word: str
):
    platform(upstream, state(word))

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert (raised.value.processed, raised.value.upstream_code) == (False, word)
    assert len(upstream.calls("POST", SUBMIT)) == 1


@pytest.mark.parametrize("status", [200, 404])
def test_task_that_stays_unknown_is_given_up_as_perhaps_charged(
    upstream: Upstream, make_call: MakeCall, status: int
):
    platform(upstream, lambda exchange: exchange.reply(state("Task not found"), status=status))

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert (raised.value.processed, raised.value.upstream_request_id) == (True, TASK)
    assert len(upstream.calls("GET", POLL)) == 3
    assert len(upstream.calls("POST", SUBMIT)) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, errors.BadCredentials), (402, errors.OutOfFunds), (422, errors.ProviderRejected)],
)
def test_refused_poll_is_perhaps_charged(
    upstream: Upstream, make_call: MakeCall, status: int, expected: type[errors.ProviderError]
):
    platform(upstream, lambda exchange: exchange.reply(b"<html>", status=status))

    with pytest.raises(expected) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True


def test_expired_result_is_asked_for_again(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    images.answers("GET", SAMPLE, b"<Error>AuthenticationFailed</Error>", status=403)
    expired = f"{images.url}{SAMPLE}?sig=old"
    platform(upstream, ready(expired), ready(sample(images, b"image", "/samples/fresh.jpeg")))

    result = generate(make_call, upstream)

    assert result.images[0].data == b"image"
    assert len(images.calls("GET", SAMPLE)) == 3
    assert len(upstream.calls("POST", SUBMIT)) == 1


@pytest.mark.parametrize("status", [403, 404, 410])
def test_result_that_stays_expired_is_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall, status: int
):
    images.answers("GET", SAMPLE, status=status)
    platform(upstream, ready(f"{images.url}{SAMPLE}"))

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert (raised.value.processed, raised.value.upstream_status) == (True, status)
    assert raised.value.upstream_request_id == TASK
    assert len(upstream.calls("GET", POLL)) == 3
    assert len(upstream.calls("POST", SUBMIT)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        state("Ready"),
        state("Ready", result={}),
        state("Ready", result={"sample": ""}),
        state("Ready", result=["x"]),
        state("Ready", result={"sample": 7}),
        state("Ready", result={"sample": "ftp://x/y"}),
    ],
)
def test_ready_task_without_an_image_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, answer: object
):
    platform(upstream, answer)

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(upstream.calls("GET", POLL)) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", {"status": "ok"}])
def test_accepted_submit_without_an_id_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, saved: list[str], body: object
):
    upstream.answers("POST", SUBMIT, body)

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert (len(upstream.received), saved) == (1, [])


def test_truncated_image_is_fetched_again_then_given_up(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    def truncated(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        exchange.drop()

    url = sample(images, b"")
    images.on("GET", SAMPLE, truncated)
    platform(upstream, ready(url))

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(images.received) == 3


def test_image_over_its_limit_is_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    platform(upstream, ready(sample(images, bytes(4_000_001))))

    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream)


def test_endless_redirects_of_an_image_are_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    url = sample(images, b"")
    images.answers("GET", SAMPLE, status=302, headers={"Location": SAMPLE})
    platform(upstream, ready(url))

    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream)

    assert len(images.received) == 4


def test_image_in_our_own_network_is_refused(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    platform(upstream, ready(sample(images, b"image")))

    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream, allow_private=False)

    assert images.received == []


def test_closed_port_is_unavailable_and_not_processed(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        BflAdapter().generate(make_call("http://127.0.0.1:1", upstream_model=MODEL))

    assert raised.value.processed is False
