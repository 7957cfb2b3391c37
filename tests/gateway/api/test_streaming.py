"""Streams on the wire: their events, what they cost, and what they survive."""

import hashlib
import io
from datetime import timedelta

import pytest
import requests
from django.http import HttpRequest
from gevent.event import Event as Flag
from PIL import Image

from core.clock import now
from gateway.api import streaming
from gateway.api.delivery import ClientSocket
from gateway.models import Generation
from gateway.services.runs.looking import look
from gateway.storage import partial_key, private_storage
from tests.events import COMPLETED, GPT, PARTIAL, post_stream, watch
from tests.gateway.api.expect import expect_error
from tests.pictures import noise
from tests.stack import wait_until
from tests.tenants import GENERATIONS, new_prompt, uuid_of

PRICE_MICROS = 199_500
FLUX = "fal/flux-1.1-pro"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def spent(tenant):
    posted, held = tenant.wallet_micros()
    assert held == 0
    return 10_000_000 - posted


def indexes(events):
    return [event.data["partial_image_index"] for event in events if event.name == PARTIAL]


def names(events):
    return [event.name for event in events]


def begun(tenant, stack, prompt, *, after=1, **rule):
    """Return a stream of which so many partial images have been read; the upstream waits."""
    stack.upstream.rule(prompt, hold=True, after=after, **rule)
    live = post_stream(tenant, prompt)
    assert [live.next().data["partial_image_index"] for _ in range(after)] == [*range(after)]
    return live


def finished(tenant):
    wait_until(lambda: tenant.generations()[-1].finished_at, "the generation has ended")


def test_partials_come_before_the_image(tenant, stack):
    prompt = new_prompt()
    live = post_stream(tenant, prompt)

    events = live.rest()

    headers = live.answer.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Request-Id"] == live.generation_id
    assert "X-Cost" not in headers
    assert names(events) == [PARTIAL] * 3 + [COMPLETED]
    (call,) = stack.upstream.calls(prompt)
    assert (call["body"]["stream"], call["body"]["partial_images"]) == (True, 3)
    sent = [digest for digest, _ in call["partials"]] + call["sha256"]
    assert [sha256(event.image) for event in events] == sent
    for event in events:
        assert Image.open(io.BytesIO(event.image)).size == (1024, 1024)
    *partials, completed = (event.data for event in events)
    common = {
        "size": "1024x1024", "quality": "medium", "background": "opaque", "output_format": "png"
    }  # fmt: skip
    for index, data in enumerate(partials):
        assert data.pop("b64_json")
        assert data.pop("created_at") > 1_700_000_000
        assert data == {"type": PARTIAL, **common, "partial_image_index": index}
    assert {name: completed.pop(name) for name in common} == common
    assert completed.pop("url").endswith(f"/{uuid_of(live.generation_id)}/0.png")
    assert completed.pop("usage")["output_tokens"] == 1356
    assert completed.pop("cost") == {"amount": "0.1995", "currency": "USD"}
    assert set(completed) == {"type", "b64_json", "created_at"}
    assert spent(tenant) == PRICE_MICROS
    (attempt,) = tenant.attempts()
    assert attempt.cost_micros == 54_300


@pytest.mark.parametrize("form", ["url", "b64_json"])
def test_model_that_cannot_stream_sends_the_completed_event(form, tenant, stack):
    prompt = new_prompt()

    live = post_stream(tenant, prompt, model=FLUX, response_format=form)

    (event,) = live.rest()
    (call,) = stack.upstream.calls(prompt)
    assert event.name == COMPLETED
    assert sha256(event.image) == call["sha256"][0]
    assert event.data["usage"] == {
        "input_tokens": 0,
        "input_tokens_details": {"text_tokens": 0, "image_tokens": 0},
        "output_tokens": 0,
        "total_tokens": 0,
    }
    assert (event.data["output_format"], event.data["quality"]) == ("jpeg", "auto")
    assert live.answer.headers["X-Dropped-Params"] == "partial_images"
    assert spent(tenant) == 42_000


def test_partials_that_cost_more_than_the_price_leaves_are_not_asked_for(tenant, stack):
    prompt = new_prompt()

    events = post_stream(tenant, prompt, model="gpt-image-2").rest()

    assert names(events) == [COMPLETED]
    (call,) = stack.upstream.calls(prompt)
    assert not {"stream", "partial_images"} & set(call["body"])


def test_test_key_streams_from_the_sandbox_for_nothing(tenant):
    tester = tenant.another_key(livemode=False)

    live = post_stream(tester, model="gpt-image-2", partial_images=2)

    events = live.rest()
    assert names(events) == [PARTIAL] * 2 + [COMPLETED]
    assert events[-1].data["cost"] == {"amount": "0.00", "currency": "USD"}
    assert live.answer.headers["X-Cost-Quoted"] == "0.05565"
    assert spent(tenant) == 0


@pytest.mark.parametrize(
    ("body", "param", "status"),
    [
        ({"n": 2}, "n", 400),
        ({"partial_images": 4}, "partial_images", 400),
        ({"model": "no-such"}, "model", 404),
        ({"max_cost": "0.01"}, "max_cost", 400),
    ],
)
def test_what_is_not_accepted_is_answered_as_ever(body, param, status, tenant):
    answer = post_stream(tenant, **body).answer

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    assert tenant.generations() == []


def test_refusal_in_the_stream_ends_it_with_an_error_and_costs_nothing(tenant, stack):
    prompt = new_prompt()
    error = {"message": "No.", "type": "image_generation_user_error", "code": "moderation_blocked"}
    stack.upstream.rule(prompt, after=1, status=400, body={"error": error})

    events = post_stream(tenant, prompt).rest()

    assert names(events) == [PARTIAL, ""]
    assert events[-1].data["error"]["code"] == "moderation_blocked"
    assert list(events[-1].data) == ["error"]
    assert len(stack.upstream.calls(prompt)) == 1
    assert spent(tenant) == 0
    again = post_stream(tenant, prompt)
    assert "Idempotent-Replayed" not in again.answer.headers
    again.close()


@pytest.mark.parametrize("how", [{"status": 500}, {"send": "cut"}], ids=["error", "cut"])
def test_indexes_go_on_when_the_upstream_is_asked_again(how, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, after=2, times=1, **how)

    events = post_stream(tenant, prompt).rest()

    assert indexes(events) == [0, 1, 2, 3, 4]
    assert names(events)[-1] == COMPLETED
    first, second = stack.upstream.calls(prompt)
    sent = [digest for call in (first, second) for digest, _ in call["partials"]]
    assert [sha256(event.image) for event in events[:-1]] == sent
    assert sha256(events[-1].image) == second["sha256"][0]
    assert spent(tenant) == PRICE_MICROS


def test_each_partial_comes_while_the_upstream_works_on(tenant, stack):
    prompt = new_prompt()

    live = begun(tenant, stack, prompt, after=2)

    (call,) = stack.upstream.calls(prompt)
    assert call["sha256"] == []
    stack.upstream.release(prompt)
    assert indexes(live.rest()) == [2]


def test_hanging_up_leaves_the_job_to_go_on_and_a_resend_gets_it(tenant, stack):
    prompt = new_prompt()
    live = begun(tenant, stack, prompt, after=2)
    live.close()
    wait_until(lambda: tenant.generations()[0].connection_closed_at, "the hang-up is noticed")

    again = post_stream(tenant, prompt, headers={"x-stainless-retry-count": "1"})

    assert again.answer.headers["Idempotent-Replayed"] == "true"
    assert again.generation_id == live.generation_id
    assert again.next().data["partial_image_index"] == 1
    stack.upstream.release(prompt)
    events = again.rest()
    assert (indexes(events), names(events)[-1]) == ([2], COMPLETED)
    assert len(stack.upstream.calls(prompt)) == 1
    assert spent(tenant) == PRICE_MICROS
    wait_until(lambda: tenant.generations()[0].answered_at, "it counts as answered")
    third = post_stream(tenant, prompt)
    assert third.generation_id != live.generation_id
    third.rest()


def test_idempotency_key_replays_the_end_of_a_stream(tenant, stack):
    prompt = new_prompt()
    headers = {"Idempotency-Key": new_prompt("key")}
    first = post_stream(tenant, prompt, headers=headers).rest()

    replay = post_stream(tenant, prompt, headers=headers)

    (event,) = replay.rest()
    assert replay.answer.headers["Idempotent-Replayed"] == "true"
    assert event.data == first[-1].data
    plain = tenant.generate(prompt, headers=headers, model=GPT)
    assert plain.status_code == 409
    assert len(stack.upstream.calls(prompt)) == 1


def test_looking_on_shows_the_newest_partial_and_what_follows(tenant, stack):
    prompt = new_prompt()
    live = begun(tenant, stack, prompt, after=2)

    seen = watch(tenant, live.generation_id)

    assert seen.answer.headers["X-Generation-Id"] == live.generation_id
    assert seen.next().data["partial_image_index"] == 1
    stack.upstream.release(prompt)
    events, own = seen.rest(), live.rest()
    assert names(events) == [PARTIAL, COMPLETED]
    assert indexes(events) == [2]
    assert events[-1].data == own[-1].data
    afterwards = watch(tenant, live.generation_id)
    assert [event.data for event in afterwards.rest()] == [own[-1].data]
    assert afterwards.answer.headers["X-Cost"] == "0.1995"


def test_looking_on_at_a_failure_shows_the_error(tenant, stack):
    prompt = new_prompt()
    error = {"message": "No.", "code": "moderation_blocked"}
    stack.upstream.rule(prompt, status=400, body={"error": error})
    generation = tenant.generate(prompt).headers["X-Generation-Id"]

    (event,) = watch(tenant, generation).rest()

    assert event.data["error"]["code"] == "moderation_blocked"


def test_nobody_else_can_look_on(tenant, open_tenant, stack):
    prompt = new_prompt()
    live = begun(tenant, stack, prompt)

    path = f"{GENERATIONS}/{live.generation_id}?stream=true"
    foreign = open_tenant().get(path)
    anonymous = requests.get(f"{stack.url}{path}", timeout=10)

    expect_error(foreign, 404, "not_found")
    assert anonymous.status_code == 401
    stack.upstream.release(prompt)
    live.rest()


@pytest.mark.parametrize(("query", "n"), [("stream=yes", 1), ("stream=true", 2)])
def test_what_cannot_be_looked_on_at_is_refused(query, n, tenant):
    answer = tenant.generate(new_prompt(), model="dall-e-2", n=n)

    refused = tenant.get(f"{GENERATIONS}/{answer.headers['X-Generation-Id']}?{query}")

    expect_error(refused, 400, "invalid_value", param="stream")


def test_partial_whose_message_was_lost_is_found(tenant, stack):
    prompt = new_prompt()
    live = begun(tenant, stack, prompt)
    generation_id = uuid_of(live.generation_id)
    data = noise(64, 64, "png")
    # As a worker does, apart from the message.
    private_storage().put_image(
        partial_key(tenant.organization_id, generation_id, 1),
        data,
        content_type="image/png",
        cache_control="private",
        sha256=sha256(data),
    )
    with stack.database():
        Generation.objects.filter(id=generation_id).update(partials=2)

    event = live.next()

    assert (event.data["partial_image_index"], event.image) == (1, data)
    stack.upstream.release(prompt)
    assert live.rest()[-1].name == COMPLETED


def test_partials_are_deleted_ten_minutes_after_the_end(tenant, stack):
    live = post_stream(tenant)
    events = live.rest()
    generation_id = uuid_of(live.generation_id)
    keys = [partial_key(tenant.organization_id, generation_id, index) for index in range(3)]
    assert all(private_storage().exists(key) for key in keys)
    with stack.database():
        row = Generation.objects.filter(id=generation_id)
        assert row.values_list("partials", flat=True).get() == 3
        row.update(finished_at=now() - timedelta(minutes=11))

    wait_until(lambda: not tenant.generations()[0].partials, "the sweeper has been there")

    assert not any(private_storage().exists(key) for key in keys)
    (event,) = watch(tenant, live.generation_id).rest()
    assert event.image == events[-1].image


def test_killed_web_process_leaves_the_job_to_go_on(tenant, stack):
    prompt = new_prompt()
    live = begun(tenant, stack, prompt)
    stack.kill_web_process(tenant.generations()[0].web_process_id)
    with pytest.raises(requests.RequestException):
        live.rest()

    seen = watch(tenant, live.generation_id)

    assert seen.next().data["partial_image_index"] == 0
    stack.upstream.release(prompt)
    assert indexes(seen.rest()) == [1, 2]
    again = post_stream(tenant, prompt, headers={"x-stainless-retry-count": "1"})
    assert again.generation_id == live.generation_id
    assert names(again.rest()) == [COMPLETED]
    assert len(stack.upstream.calls(prompt)) == 1
    assert spent(tenant) == PRICE_MICROS
    stack.wait_until_ready()


def test_killed_worker_is_succeeded_by_another(tenant, stack):
    prompt = new_prompt()
    live = begun(tenant, stack, prompt, times=1)
    stack.kill("worker")
    stack.start_again("worker")

    events = live.rest()

    assert indexes(events) == [1, 2, 3]
    assert names(events)[-1] == COMPLETED
    assert len(stack.upstream.calls(prompt)) == 2
    assert spent(tenant) == PRICE_MICROS
    assert tenant.ledger_findings() == []


@pytest.mark.parametrize("recheck_s", [30.0, 0.0], ids=["waiting", "reading"])
def test_silence_is_filled_with_comments(recheck_s, tenant, stack, monkeypatch):
    """The product's own class in this process, which need not wait for 15 seconds."""
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(streaming, "RECHECK_S", recheck_s)
    prompt = new_prompt()
    live = begun(tenant, stack, prompt)
    with stack.database():
        view = look(
            organization_id=tenant.organization_id,
            generation_id=uuid_of(live.generation_id),
            deadline_at=None,
        )
        assert view is not None
        client = ClientSocket(HttpRequest())
        stream = streaming.EventStream(view, Flag(), client=client, connection_id=None, shown=1)
        chunks = iter(stream)

        assert [next(chunks) for _ in range(5)] == [b": keep-alive\n\n"] * 5
    stack.upstream.release(prompt)
    live.rest()


def test_raw_stream_is_what_the_standard_says(tenant):
    live = post_stream(tenant, partial_images=1)

    text = live.answer.content.decode()

    assert text.startswith(": ")
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    assert [block.partition("\ndata: {")[0] for block in blocks] == [
        f"event: {PARTIAL}",
        f"event: {COMPLETED}",
    ]
    assert "[DONE]" not in text
