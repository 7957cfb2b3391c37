"""`Prefer: respond-async`: accepted at once, polled, canceled while queued, deleted when ended."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from tests.gateway.api.expect import expect_error, expect_nothing_charged
from tests.stack import Stack, wait_until
from tests.tenants import GENERATIONS, Tenant, new_prompt

ASYNC = {"Prefer": "respond-async"}
UNIT = "0.042"


@pytest.fixture
def idle(stack: Stack) -> Iterator[Callable[[], None]]:
    """Keep the worker away until the returned function is called, or the test ends."""
    stack.kill("worker")
    stopped = ["worker"]

    def work() -> None:
        if stopped:
            stack.start_again(stopped.pop())

    yield work
    work()


def poll(tenant: Tenant, answer: requests.Response, *, until: str = "succeeded") -> dict[str, Any]:
    path = answer.headers["Location"]
    found: dict[str, Any] = wait_until(
        lambda: (body := tenant.get(path).json())["status"] == until and body, f"{until} {path}"
    )
    return found


def delete(tenant: Tenant, generation_id: str) -> requests.Response:
    return tenant.request("DELETE", f"{GENERATIONS}/{generation_id}")


def test_request_is_accepted_at_once_and_its_images_are_found_at_location(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)

    answer = tenant.generate(prompt, headers=ASYNC)

    body = answer.json()
    assert answer.status_code == 202
    assert body["object"] == "generation"
    assert body["status"] in {"queued", "running"}
    assert body["data"] == []
    assert body["estimated_seconds"] >= 1
    assert answer.headers["X-Generation-Id"] == body["id"]
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.headers["X-Cost"] == "0.00"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert urljoin(stack.url, answer.headers["Location"]).endswith(f"{GENERATIONS}/{body['id']}")

    stack.upstream.wait_for_call(prompt)
    running = tenant.get(answer.headers["Location"])
    assert running.json()["status"] == "running"
    assert running.json()["queue_position"] is None
    assert 1 <= int(running.headers["Retry-After"]) <= 60
    stack.upstream.release(prompt)
    done = poll(tenant, answer)
    assert done["cost"]["amount"] == UNIT
    assert "queue_position" not in done
    assert requests.get(done["data"][0]["url"], timeout=10).status_code == 200
    assert tenant.ledger_findings() == []


@pytest.mark.parametrize("prefer", ["wait=5, Respond-Async", "respond-async; foo", "respond-async"])
def test_preference_is_found_among_others(prefer, tenant):
    assert tenant.generate(new_prompt(), headers={"Prefer": prefer}).status_code == 202


@pytest.mark.parametrize("prefer", ["", "return=minimal", "respond-asynchronously"])
def test_other_preferences_are_ignored(prefer, tenant):
    answer = tenant.generate(new_prompt(), headers={"Prefer": prefer})

    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers


def test_errors_before_acceptance_are_answered_as_ever(open_tenant):
    tenant = open_tenant(amount="0.01")

    expect_error(tenant.generate("", headers=ASYNC), 400, "missing_required_parameter", "prompt")
    expect_error(tenant.generate(new_prompt(), headers=ASYNC), 402, "insufficient_balance")


def test_idempotency_key_gives_the_same_id_while_it_runs_and_after(tenant, stack):
    prompt = new_prompt()
    headers = {**ASYNC, "Idempotency-Key": "order"}
    stack.upstream.rule(prompt, hold=True)

    first = tenant.generate(prompt, headers=headers)
    second = tenant.generate(prompt, headers=headers)
    stack.upstream.release(prompt)
    poll(tenant, first)
    third = tenant.generate(prompt, headers=headers)

    assert [one.status_code for one in (first, second, third)] == [202, 202, 202]
    assert len({one.json()["id"] for one in (first, second, third)}) == 1
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == third.headers["Idempotent-Replayed"] == "true"
    assert third.json()["status"] == "succeeded"
    assert "Retry-After" not in third.headers
    assert len(stack.upstream.calls(prompt)) == 1
    expect_error(
        tenant.generate(prompt, headers={"Idempotency-Key": "order"}), 409, "idempotency_key_reused"
    )


def test_equal_requests_are_separate_images(tenant):
    """Whoever got a 202 has the id: nothing of it is undelivered."""
    prompt = new_prompt()
    first, second = (tenant.generate(prompt, headers=ASYNC) for _ in range(2))

    assert first.json()["id"] != second.json()["id"]


def test_failure_is_found_by_polling(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=500)

    done = poll(tenant, tenant.generate(prompt, headers=ASYNC), until="failed")

    assert done["error"]["code"] == "provider_unavailable"
    assert done["cost"]["amount"] == "0.00"
    expect_nothing_charged(tenant)


def test_queued_ones_have_a_place_and_are_canceled_free_of_charge(idle, tenant):
    answers = [tenant.generate(new_prompt(), headers=ASYNC) for _ in range(3)]
    ids = [answer.json()["id"] for answer in answers]
    assert [answer.json()["status"] for answer in answers] == ["queued"] * 3
    places = [tenant.get(f"{GENERATIONS}/{one}").json()["queue_position"] for one in ids]
    assert places == sorted(places)
    assert len(set(places)) == 3

    canceled = delete(tenant, ids[0])

    assert canceled.status_code == 200
    assert canceled.json()["status"] == "canceled"
    assert canceled.json()["error"]["code"] == "generation_canceled"
    assert canceled.json()["cost"]["amount"] == "0.00"
    assert canceled.json()["deleted_at"] is None
    assert delete(tenant, ids[0]).json() == canceled.json()
    assert tenant.get(f"{GENERATIONS}/{ids[1]}").json()["queue_position"] == places[0]
    assert sorted(hold.status for hold in tenant.holds()) == [
        "authorized",
        "authorized",
        "released",
    ]
    idle()
    for answer in answers[1:]:
        poll(tenant, answer)
    assert tenant.balance() == ("9.916", "0.00")
    assert tenant.get(f"{GENERATIONS}/{ids[0]}").json()["status"] == "canceled"
    assert tenant.ledger_findings() == []


def test_waiting_caller_is_told_of_the_cancellation(idle, tenant, stack):
    prompt, headers = new_prompt(), {"Idempotency-Key": "waits"}
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(tenant.generate, prompt, headers=headers)
        row = wait_until(tenant.generations, "the generation")[0]
        delete(tenant, f"req_{row.id.hex}")
        answer = sent.result()

    expect_error(answer, 400, "generation_canceled")
    assert answer.headers["X-Generation-Id"] == f"req_{row.id.hex}"
    idle()
    replay = tenant.generate(prompt, headers=headers)
    expect_error(replay, 400, "generation_canceled")
    assert stack.upstream.calls(prompt) == []
    expect_nothing_charged(tenant)


def test_running_one_can_be_neither_canceled_nor_deleted(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    answer = tenant.generate(prompt, headers=ASYNC)
    stack.upstream.wait_for_call(prompt)

    expect_error(delete(tenant, answer.json()["id"]), 409, "generation_running")

    stack.upstream.release(prompt)
    assert poll(tenant, answer)["data"]


@pytest.mark.parametrize("image_policy", ["public", "signed"])
def test_images_of_an_ended_one_are_deleted_and_stay_paid(image_policy, tenant, stack):
    tenant.set_organization(image_policy=image_policy)
    prompt, headers = new_prompt(), {"Idempotency-Key": "kept"}
    first = tenant.generate(prompt, headers=headers, model="dall-e-2", n=2)
    generation_id = first.json()["id"]
    urls = [image["url"] for image in first.json()["data"]]
    assert {requests.get(url, timeout=10).status_code for url in urls} == {200}
    before = tenant.balance()

    deleted = delete(tenant, generation_id)

    assert deleted.status_code == 200
    body = deleted.json()
    assert body["status"] == "succeeded"
    assert body["data"] == []
    assert isinstance(body["deleted_at"], int)
    assert [one["outcome"] for one in body["outcomes"]] == ["delivered"] * 2
    assert {requests.get(url, timeout=10).status_code for url in urls} == {404}
    again = delete(tenant, generation_id)
    assert (again.status_code, again.json()) == (200, body)
    replay = tenant.generate(prompt, headers=headers, model="dall-e-2", n=2)
    assert replay.status_code == 200
    assert replay.json()["data"] == []
    assert replay.json()["deleted_at"] == body["deleted_at"]
    listed = tenant.get(f"{GENERATIONS}?idempotency_key=kept").json()["data"]
    assert [one["data"] for one in listed] == [[]]
    assert tenant.balance() == before
    assert {row.has_stray_objects for row in tenant.generations()} == {False}
    assert tenant.ledger_findings() == []


def test_deleting_a_failed_one_says_when(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=500)
    answer = tenant.generate(prompt)

    deleted = delete(tenant, answer.headers["X-Generation-Id"]).json()

    assert deleted["status"] == "failed"
    assert isinstance(deleted["deleted_at"], int)


def test_unknown_and_foreign_ones_cannot_be_deleted(tenant, open_tenant):
    other = open_tenant()
    generation_id = tenant.generate(new_prompt()).json()["id"]
    for unknown in (generation_id, f"req_{'0' * 32}", "nonsense"):
        expect_error(delete(other, unknown), 404, "not_found")

    assert tenant.get(f"{GENERATIONS}/{generation_id}").json()["data"]


def test_test_key_cannot_delete_what_a_live_key_made(tenant):
    generation_id = tenant.generate(new_prompt()).json()["id"]

    expect_error(
        delete(tenant.another_key(livemode=False), generation_id), 403, "insufficient_scope"
    )
    expect_error(
        delete(tenant.another_key(scopes=("images:read",)), generation_id),
        403,
        "insufficient_scope",
    )
    assert tenant.get(f"{GENERATIONS}/{generation_id}").json()["data"]
