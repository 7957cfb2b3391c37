"""What a successful answer says beside the image, and the generation's own resource."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from gateway.models import Attempt
from tests.gateway.api.expect import REQUEST_ID, expect_error, expect_nothing_charged
from tests.stack import wait_until
from tests.tenants import GENERATIONS, MODEL, new_prompt

FLUX = "fal/flux-1.1-pro"


def test_answer_has_openais_shape(tenant):
    answer = tenant.generate(new_prompt(), model=FLUX)

    body = answer.json()
    assert set(body) == {"id", "object", "created", "model", "data"}
    assert (body["object"], body["model"]) == ("list", FLUX)
    assert REQUEST_ID.fullmatch(body["id"])
    assert body["id"] == answer.headers["X-Request-Id"] == answer.headers["X-Generation-Id"]
    assert [set(item) for item in body["data"]] == [{"url"}]


def test_unknown_parameters_are_dropped_and_named(tenant, stack):
    prompt = new_prompt()
    extra = {"negative_prompt": "dogs", "cfg": 7, "bad name\r\nX-Evil: 1": 1, "y" * 65: 1}

    answer = tenant.generate(prompt, model=FLUX, style="natural", **extra)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Dropped-Params"] == "negative_prompt, cfg, style"
    assert "X-Evil" not in answer.headers
    (call,) = stack.upstream.calls(prompt)
    assert not set(call["body"]) & {"negative_prompt", "cfg", "style"}


def test_at_most_twenty_dropped_parameters_are_named(tenant):
    answer = tenant.generate(new_prompt(), **{f"p{number}": 1 for number in range(40)})

    assert len(answer.headers["X-Dropped-Params"].split(", ")) == 20


def test_nothing_dropped_is_not_mentioned(tenant):
    answer = tenant.generate(new_prompt(), n=1, quality="auto", stream=False, background="auto")

    assert "X-Dropped-Params" not in answer.headers
    assert "X-Served-By" not in answer.headers
    assert "X-Image-Adjusted" not in answer.headers


def test_image_of_another_size_is_fitted_and_this_is_said(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, send="1536x1280")

    answer = tenant.generate(prompt)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Image-Adjusted"] == "1536x1280 -> 1024x1024"
    (artifact,) = tenant.artifacts()
    assert (artifact.width, artifact.height) == (1024, 1024)


def test_image_that_is_too_small_is_never_scaled_up(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, send="512x512")

    answer = tenant.generate(prompt, model="gpt-image-2", quality="low")

    expect_error(answer, 503, "provider_unavailable", retry=True)
    expect_nothing_charged(tenant)


@pytest.mark.parametrize("model", [MODEL, "gpt-image-1", FLUX])
def test_base64_answer_declares_its_exact_length(model, tenant, stack):
    address = urlsplit(stack.url)
    client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    sent = {"model": model, "prompt": new_prompt(), "response_format": "b64_json"}
    headers = {"Authorization": f"Bearer {tenant.key}"}

    client.request("POST", GENERATIONS, json.dumps(sent), headers)
    answer = client.getresponse()
    data = answer.read()

    assert answer.getheader("Transfer-Encoding") is None
    assert answer.getheader("Content-Length") == str(len(data))
    assert set(json.loads(data)["data"][0]) >= {"b64_json"}
    # The connection is still in step: the next answer on it is whole.
    client.request("GET", "/v1/balance", headers=headers)
    assert json.loads(client.getresponse().read())["object"] == "balance"
    client.close()


def test_retired_model_is_announced(tenant):
    answer = tenant.generate(new_prompt())

    assert answer.headers["Deprecation"].startswith("@")
    assert answer.headers["Sunset"].endswith("12 May 2026 00:00:00 GMT")


def test_generation_can_be_read_while_it_runs_and_after(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with tenant.send_only(prompt):
        stack.upstream.wait_for_call(prompt)
        path = f"{GENERATIONS}/req_{tenant.generations()[0].id.hex}"
        running = tenant.get(path)
        stack.upstream.release(prompt)
        wait_until(lambda: tenant.get(path).json()["status"] == "succeeded", "it has ended")
    done = tenant.get(path)

    assert running.json()["status"] == "running"
    assert running.json()["data"] == []
    assert running.json()["cost"] == {"amount": "0.00", "quoted": "0.042", "currency": "USD"}
    assert 1 <= int(running.headers["Retry-After"]) <= 60
    body = done.json()
    assert (body["object"], body["id"], body["livemode"]) == ("generation", path[-36:], True)
    assert (body["model"], body["deleted_at"], body["error"]) == (MODEL, None, None)
    assert body["cost"] == {"amount": "0.042", "quoted": "0.042", "currency": "USD"}
    assert set(body["data"][0]) == {"url", "revised_prompt"}
    assert [one["number"] for one in body["attempts"]] == [1]
    assert body["attempts"][0]["provider"] == "openai"
    with stack.database():
        attempt = Attempt.objects.get(generation_id=tenant.generations()[0].id)
    assert attempt.received_at is not None
    assert attempt.finished_at is not None
    assert attempt.started_at < attempt.received_at < attempt.finished_at
    assert "Retry-After" not in done.headers


def test_caller_cut_off_finds_the_result_by_reading(tenant, stack):
    prompt = new_prompt()
    with tenant.send_only(prompt, headers={"X-Client-Request-Id": "mine-1"}):
        wait_until(tenant.generations, "it is accepted")
    (row,) = wait_until(
        lambda: [one for one in tenant.generations() if one.finished_at], "it has ended"
    )

    resource = tenant.get(f"{GENERATIONS}/req_{row.id.hex}").json()

    assert resource["status"] == "succeeded"
    assert row.client_request_id == "mine-1"


def test_test_key_draws_in_the_sandbox_for_nothing(open_tenant, stack):
    tenant = open_tenant(amount="0", livemode=False)
    prompt = new_prompt()

    answer = tenant.generate(prompt)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Served-By"] == "sandbox"
    assert answer.headers["X-Cost"] == "0.00"
    assert answer.headers["X-Cost-Quoted"] == "0.042"
    assert (stack.sandbox_calls(prompt), stack.upstream.calls(prompt)) == (1, [])
    resource = tenant.get(f"{GENERATIONS}/{answer.headers['X-Generation-Id']}").json()
    assert resource["livemode"] is False
    assert resource["cost"] == {"amount": "0.00", "quoted": "0.042", "currency": "USD"}
    assert tenant.holds() == []
    assert tenant.postings("capture") == []
    assert [row.cost_micros for row in tenant.attempts()] == [0]
    assert tenant.ledger_findings() == []


@pytest.mark.parametrize(
    "model", ["google/imagen-4", "xai/grok-2-image", "stable-diffusion-xl", FLUX, "gpt-image-2"]
)
def test_test_key_draws_with_models_of_every_provider(model, open_tenant):
    tenant = open_tenant(amount="0", livemode=False)

    answer = tenant.generate(new_prompt(), model=model)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Served-By"] == "sandbox"


def test_test_keys_errors_are_the_same(open_tenant):
    tenant = open_tenant(amount="0", livemode=False)

    expect_error(tenant.generate("a cat", size="1x1"), 400, "invalid_value", "size")
    refused = tenant.generate(f"[[refuse]] {new_prompt()}")
    expect_error(refused, 400, "content_policy_violation", "prompt")


def test_model_without_a_configured_provider_is_unavailable(tenant):
    answer = tenant.generate("a cat", model="google/imagen-4")

    expect_error(answer, 503, "provider_unavailable", retry=True)
    assert tenant.generations() == []


def test_fal_serves_a_model_whose_first_provider_is_missing(tenant, stack):
    prompt = new_prompt()

    answer = tenant.generate(prompt, model="flux-1.1-pro")

    assert answer.status_code == 200, answer.text
    assert [call["provider"] for call in stack.upstream.calls(prompt)] == ["fal"]
