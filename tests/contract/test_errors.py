"""Each status raises the exception of the official client that its users catch, tried once."""

import httpx
import openai
import pytest

from tests.tenants import MODEL, new_prompt


class Counted(httpx.Client):
    """An HTTP client that counts what the SDK sends."""

    sent = 0

    def send(self, *args, **options):
        self.sent += 1
        return super().send(*args, **options)


@pytest.fixture
def counted():
    with Counted(timeout=60) as client:
        yield client


def failure(client, kind, **parameters):
    with pytest.raises(kind) as raised:
        client.images.generate(**{"model": MODEL, "prompt": new_prompt(), **parameters})
    error = raised.value
    assert type(error) is kind
    assert set(error.body) >= {"message", "type", "param", "code"}
    return error


def test_bad_value_is_a_bad_request(tenant, connect, counted):
    error = failure(connect(tenant, http_client=counted), openai.BadRequestError, size="1x1")

    assert (error.type, error.param, error.code) == (
        "invalid_request_error",
        "size",
        "invalid_value",
    )
    assert counted.sent == 1


def test_wrong_key_is_an_authentication_error(tenant, connect, counted):
    client = connect(tenant, api_key="lz_sk_live_nonsense", http_client=counted)

    error = failure(client, openai.AuthenticationError)

    assert (error.type, error.code) == ("authentication_error", "invalid_api_key")
    assert counted.sent == 1


def test_empty_balance_is_a_402(open_tenant, connect, counted):
    error = failure(connect(open_tenant(amount="0"), http_client=counted), openai.APIStatusError)

    assert (error.status_code, error.type, error.code) == (
        402,
        "billing_error",
        "insufficient_balance",
    )
    assert counted.sent == 1


def test_forbidden_model_is_a_permission_error(open_tenant, connect, counted):
    tenant = open_tenant(models_allowed=["fal/flux-1.1-pro"])

    error = failure(connect(tenant, http_client=counted), openai.PermissionDeniedError)

    assert (error.type, error.code, error.param) == (
        "permission_error",
        "model_not_allowed",
        "model",
    )
    assert counted.sent == 1


def test_unknown_model_is_not_found(tenant, connect, counted):
    client = connect(tenant, http_client=counted)

    error = failure(client, openai.NotFoundError, model="openai/dall-e-9")

    assert (error.type, error.code, error.param) == ("not_found_error", "model_not_found", "model")
    assert counted.sent == 1


def test_reused_idempotency_key_is_a_conflict_and_not_retried(tenant, connect, counted):
    client = connect(tenant, http_client=counted)
    headers = {"Idempotency-Key": "one"}
    client.images.generate(model=MODEL, prompt=new_prompt(), extra_headers=headers)
    counted.sent = 0

    error = failure(client, openai.ConflictError, extra_headers=headers)

    assert (error.type, error.code) == ("conflict_error", "idempotency_key_reused")
    assert counted.sent == 1


def test_too_many_at_once_is_a_rate_limit_error(open_tenant, connect, stack):
    tenant = open_tenant(max_concurrent=1)
    held = new_prompt("held")
    stack.upstream.rule(held, hold=True)
    with tenant.send_only(held):
        stack.upstream.wait_for_call(held)

        error = failure(connect(tenant, max_retries=0), openai.RateLimitError)

    assert (error.type, error.code) == ("rate_limit_error", "concurrency_exceeded")
    assert error.response.headers["x-should-retry"] == "true"
    assert 1 <= int(error.response.headers["retry-after"]) <= 60
    stack.upstream.release(held)


def test_failing_upstream_is_a_server_error(tenant, connect, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=500)

    error = failure(connect(tenant, max_retries=0), openai.InternalServerError, prompt=prompt)

    assert (error.status_code, error.type, error.code) == (503, "api_error", "provider_unavailable")
    assert error.response.headers["x-should-retry"] == "true"


def test_refusal_is_a_bad_request_tried_once(tenant, connect, counted, stack):
    prompt = new_prompt()
    details = {"moderation_stage": "input", "categories": ["violence"]}
    refusal = {
        "message": "Blocked.",
        "type": "image_generation_user_error",
        "param": None,
        "code": "moderation_blocked",
        "moderation_details": details,
    }
    stack.upstream.rule(prompt, status=400, body={"error": refusal})
    client = connect(tenant, http_client=counted)

    error = failure(client, openai.BadRequestError, model="gpt-image-1", prompt=prompt)

    assert (error.type, error.code) == ("invalid_request_error", "moderation_blocked")
    assert error.body["moderation_details"] == details
    assert counted.sent == len(stack.upstream.calls(prompt)) == 1
    assert tenant.balance() == ("10.00", "0.00")
