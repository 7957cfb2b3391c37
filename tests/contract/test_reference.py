"""Answers of the running product are as its OpenAPI document says: status, headers and body."""

import base64
import json
import threading
from typing import Any
from uuid import uuid4

import pytest
import requests

from gateway.api.reference.document import document
from gateway.api.reference.schemas.webhooks import DATA_SCHEMAS
from orgs.services.api_keys import Rates
from orgs.services.outbox import EventType
from tests.events import COMPLETED, GPT, PARTIAL, events_of, post_stream, watch
from tests.orgs.receiver import Receiver, serving
from tests.reference import expect_documented, problems
from tests.stack import Stack, wait_until
from tests.tenants import GENERATIONS, MODEL, new_prompt

EVERYTHING = [kind.value for kind in EventType]


def expect(answer: requests.Response, status: int) -> Any:
    """Check an answer against the document and return its body."""
    assert answer.status_code == status, answer.text
    expect_documented(answer)
    return answer.json()


def test_served_document_is_what_the_code_says(stack):
    answer = requests.get(f"{stack.url}/openapi.json", timeout=30)

    assert answer.json() == json.loads(json.dumps(document()))
    expect_documented(answer)


@pytest.mark.parametrize("path", ["/docs", "/docs/assets/page.js", "/llms.txt", "/healthz"])
def test_public_calls(stack, path):
    answer = requests.get(f"{stack.url}{path}", timeout=30)

    assert answer.status_code == 200
    expect_documented(answer)


@pytest.mark.parametrize(
    ("body", "bare"),
    [
        ({"model": "dall-e-3"}, False),
        ({"model": GPT, "n": 2, "background": "transparent", "quality": "low"}, True),
        ({"model": "dall-e-2", "response_format": "b64_json", "seed": 1, "foo": 1}, False),
    ],
)
def test_images_of_each_kind_and_their_generation(tenant, body, bare):
    made = expect(tenant.generate(new_prompt(), **body), 200)
    found = expect(tenant.get(f"{GENERATIONS}/{made['id']}"), 200)

    assert ("b64_json" in made["data"][0] and "url" in made["data"][0]) == bare
    assert found["status"] == "succeeded"


def test_partly_delivered_images(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=400, times=1)
    answer = tenant.generate(prompt, model="fal/flux-schnell", n=3)

    assert answer.status_code < 500
    expect_documented(answer)


def test_replay_and_conflict_of_a_key(tenant):
    headers = {"Idempotency-Key": uuid4().hex, "X-Client-Request-Id": "mine"}
    prompt = new_prompt()
    first = expect(tenant.generate(prompt, headers=headers), 200)
    again = tenant.generate(prompt, headers=headers)

    assert expect(again, 200)["id"] == first["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    expect(tenant.generate("other", headers=headers), 409)
    page = expect(tenant.get(f"{GENERATIONS}?client_request_id=mine&limit=1&what=1"), 200)
    assert page["last_id"] == first["id"]


def test_asynchronous_generation_until_its_images_are_deleted(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    answer = tenant.generate(prompt, headers={"Prefer": "respond-async"})
    generation_id = expect(answer, 202)["id"]
    path = f"{GENERATIONS}/{generation_id}"
    stack.upstream.wait_for_call(prompt)

    running = tenant.get(path)
    assert expect(running, 200)["status"] == "running"
    assert int(running.headers["Retry-After"]) >= 1
    expect(tenant.request("DELETE", path), 409)
    stack.upstream.release(prompt)
    wait_until(lambda: tenant.get(path).json()["status"] == "succeeded", "the end")
    image = tenant.get(path).json()["data"][0]["url"]
    check_stored_image(image)
    assert expect(tenant.request("DELETE", path), 200)["deleted_at"]
    expect(requests.get(image, timeout=30), 404)


def check_stored_image(url: str) -> None:
    whole = requests.get(url, timeout=30)
    expect_documented(whole)
    for method, headers, status in (
        ("HEAD", {}, 200),
        ("GET", {"Range": "bytes=0-9"}, 206),
        ("GET", {"Range": "bytes=999999999-"}, 416),
        ("GET", {"If-None-Match": whole.headers["ETag"]}, 304),
    ):
        answer = requests.request(method, url, headers=headers, timeout=30)
        assert answer.status_code == status
        expect_documented(answer)


def test_events_of_a_stream(tenant):
    live = post_stream(tenant, partial_images=2)
    events = live.rest()
    expect_documented(live.answer)
    looked_at = watch(tenant, live.generation_id)

    assert [event.name for event in events] == [PARTIAL, PARTIAL, COMPLETED]
    for event in [*events, *looked_at.rest()]:
        schema = {"$ref": "#/components/schemas/ImageGenStreamEvent"}
        assert problems(event.data, schema) == []
        assert base64.b64decode(event.data["b64_json"])
    expect_documented(looked_at.answer)


def test_error_of_a_stream(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=400)
    answer = tenant.generate(prompt, model=GPT, stream=True)
    [failure] = [event for event in events_of(answer) if event.name != ":"]

    expect_documented(answer)
    assert problems(failure.data, {"$ref": "#/components/schemas/GatewayError"}) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prompt": ""}, 400),
        ({"prompt": "a", "size": "1x1"}, 400),
        ({"prompt": "a", "max_cost": "0.000001"}, 400),
        ({"prompt": "a", "quote_id": "quote_none"}, 400),
        ({"prompt": "a", "model": "none/such"}, 404),
    ],
)
def test_refused_requests(tenant, body, status):
    answer = tenant.request("POST", GENERATIONS, json={"model": MODEL, **body})

    expect(answer, status)


def test_refused_keys(tenant, open_tenant, stack):
    poor = open_tenant(amount="0", rates=Rates(images_per_minute=1))

    expect(requests.get(f"{stack.url}/v1/balance", timeout=30), 401)
    expect(tenant.another_key(scopes=["images:read"]).generate(new_prompt()), 403)
    expect(tenant.another_key(models_allowed=["dall-e-2"]).generate(new_prompt()), 403)
    expect(poor.generate(new_prompt()), 402)
    expect(poor.generate(new_prompt(), model="dall-e-2", n=2), 429)
    expect(tenant.request("POST", GENERATIONS, data=b"{"), 400)
    expect(tenant.request("POST", GENERATIONS, data=b" " * 1_000_001), 413)
    expect(tenant.request("GET", "/v1/models", headers={"X-Lienzo-Hop": "1"}), 508)


def test_models_balance_quotes_and_usage(tenant):
    tenant.generate(new_prompt())
    body = {"model": MODEL, "prompt": "a", "what": 1}

    assert len(expect(tenant.get("/v1/models"), 200)["data"]) > 30
    expect(tenant.get("/v1/models/fal/flux-1.1-pro"), 200)
    expect(tenant.get("/v1/models/gpt-image-1"), 200)
    expect(tenant.get("/v1/models/none"), 404)
    expect(tenant.get("/v1/balance"), 200)
    expect(tenant.request("POST", "/v1/images/quotes", json=body), 200)
    usage = expect(tenant.get("/v1/usage?group_by=model,api_key_id,user&what=1"), 200)
    assert any(bucket["results"] for bucket in usage["data"])
    lines = tenant.get("/v1/usage?format=csv&limit=1&bucket_width=1h&start_time=1795132800")
    assert lines.status_code == 200
    expect_documented(lines)
    expect(tenant.get("/v1/usage?limit=0"), 400)


def test_webhooks_and_their_messages(tenant, stack: Stack):
    with serving(stack.receiver) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/{uuid4().hex}"
        made = expect(
            tenant.request("POST", "/v1/webhooks", json={"url": url, "events": EVERYTHING}), 201
        )
        path = f"/v1/webhooks/{made['id']}"
        tenant.generate(new_prompt())
        tenant.generate(new_prompt(), size="1x1")
        expect(tenant.request("POST", f"{path}/test"), 202)
        check_messages(receiver, url, count=2)
        expect(tenant.get("/v1/webhooks"), 200)
        expect(tenant.get(path), 200)
        expect(tenant.request("PATCH", path, json={"events": ["topup.succeeded"]}), 200)
        expect(tenant.request("POST", f"{path}/rotate_secret"), 200)
        wait_until(
            lambda: all(one["tries"] for one in tenant.get(f"{path}/deliveries").json()["data"]),
            "tries that are written",
        )
        page = expect(tenant.get(f"{path}/deliveries"), 200)
        delivery = page["data"][0]["id"]
        expect(tenant.request("POST", f"{path}/deliveries/{delivery}/redeliver"), 202)
        check_messages(receiver, url, count=3)
        expect(tenant.request("DELETE", path), 200)
    expect(tenant.get(path), 404)
    expect(tenant.request("POST", "/v1/webhooks", json={"url": "http://[::1]/"}), 400)


def check_messages(receiver: Receiver, url: str, *, count: int) -> None:
    def own() -> list[Any]:
        return [hook for hook in receiver.hooks if url.endswith(hook.path)]

    wait_until(lambda: len(own()) >= count, f"{count} messages")
    for hook in own():
        message = json.loads(hook.body)
        call = document()["webhooks"][message["type"]]["post"]
        schema = call["requestBody"]["content"]["application/json"]["schema"]
        assert message["type"] in DATA_SCHEMAS
        assert problems(message, schema) == []
        for parameter in call["parameters"]:
            assert problems(hook.headers[parameter["name"]], parameter["schema"]) == []


def test_canceled_generation(tenant, stack: Stack):
    """Queued behind a worker that does not run; the caller who waits for it is told."""
    answers: list[requests.Response] = []
    prompt = new_prompt()
    stack.kill("worker")
    try:
        waiting = threading.Thread(target=lambda: answers.append(tenant.generate(prompt)))
        waiting.start()
        [generation] = wait_until(tenant.generations, "the row")
        path = f"{GENERATIONS}/req_{generation.id.hex}"
        expect(tenant.get(path), 200)
        assert expect(tenant.request("DELETE", path), 200)["status"] == "canceled"
        waiting.join(30)
    finally:
        stack.start_again("worker")
    expect(answers[0], 400)
