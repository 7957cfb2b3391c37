"""Whatever an upstream does, its caller gets an image or a clear error, and pays for images."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core.clock import now
from gateway.models import Generation
from tests.gateway.api.expect import expect_error, expect_nothing_charged
from tests.stack import wait_until
from tests.tenants import GENERATIONS, new_prompt

FLUX = "fal/flux-1.1-pro"
# One route, so that three calls are the most.
GPT = "gpt-image-2"


def openai_error(code, message="No.", **more):
    kind = "image_generation_user_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def fal_error(kind, where="prompt"):
    return {"detail": [{"loc": ["body", where], "msg": "No.", "type": kind, "input": "x"}]}


def attempts(tenant, count):
    """Return status and error code of each attempt, once so many have ended."""
    ended = wait_until(
        lambda: (
            len(rows := tenant.attempts()) == count
            and all(row.finished_at for row in rows)
            and rows
        ),
        f"{count} attempts have ended",
    )
    return [(row.status, row.error_code) for row in ended]


@pytest.mark.parametrize(
    ("model", "status", "body", "code", "details"),
    [
        (
            GPT,
            400,
            openai_error(
                "moderation_blocked",
                moderation_details={"moderation_stage": "input", "categories": ["violence"]},
            ),
            "moderation_blocked",
            {"moderation_details"},
        ),
        (
            GPT,
            400,
            openai_error("moderation_blocked", "Blocked. safety_violations=[violence]."),
            "moderation_blocked",
            {"moderation_details"},
        ),
        (
            "openai/dall-e-3",
            400,
            openai_error("content_policy_violation"),
            "content_policy_violation",
            set(),
        ),
        (
            FLUX,
            422,
            fal_error("content_policy_violation"),
            "content_policy_violation",
            set(),
        ),
    ],
)
def test_refusal_is_passed_on_and_free(model, status, body, code, details, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=status, body=body)

    answer = tenant.generate(prompt, model=model)

    expect_error(answer, 400, code, "prompt", details=frozenset(details))
    assert attempts(tenant, 1) == [("refused", code)]
    expect_nothing_charged(tenant)
    assert len(stack.upstream.calls(prompt)) == 1


def test_upstreams_rejection_names_the_parameter(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=400, body=openai_error("invalid_value", param="size"))

    expect_error(tenant.generate(prompt, model=GPT), 400, "invalid_value", "size")

    expect_nothing_charged(tenant)
    assert len(stack.upstream.calls(prompt)) == 1


def test_rate_limit_is_waited_out(tenant, stack):
    prompt = new_prompt()
    limited = {
        "error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}
    }
    stack.upstream.rule(prompt, status=429, headers={"Retry-After": "1"}, body=limited, times=1)
    started_s = time.monotonic()

    answer = tenant.generate(prompt)

    assert answer.status_code == 200, answer.text
    assert time.monotonic() - started_s >= 1.0
    assert attempts(tenant, 2) == [("failed", "rate_limit_exceeded"), ("succeeded", "")]
    assert tenant.wallet_micros() == (9_958_000, 0)
    assert tenant.ledger_findings() == []


def test_rate_limit_that_stays_is_unavailable_with_advice(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=429, headers={"Retry-After": "600"})

    answer = tenant.generate(prompt, model=GPT)

    expect_error(answer, 503, "provider_unavailable", retry=True)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    expect_nothing_charged(tenant)
    assert len(stack.upstream.calls(prompt)) == 1


@pytest.mark.parametrize("model", ["openai/dall-e-3", FLUX])
def test_server_error_once_is_retried(model, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=500, times=1)

    answer = tenant.generate(prompt, model=model)

    assert answer.status_code == 200, answer.text
    assert [status for status, _ in attempts(tenant, 2)] == ["failed", "succeeded"]
    assert tenant.wallet_micros() == (9_958_000, 0)
    assert tenant.ledger_findings() == []


def test_server_error_that_stays_is_unavailable(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=500)

    answer = tenant.generate(prompt, model=GPT)

    expect_error(answer, 503, "provider_unavailable", retry=True)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(stack.upstream.calls(prompt)) == 3
    assert [status for status, _ in attempts(tenant, 3)] == ["failed"] * 3
    assert [row.cost_micros for row in tenant.attempts()] == [0, 0, 0]
    expect_nothing_charged(tenant)


@pytest.mark.parametrize(
    ("status", "code"), [(401, "invalid_api_key"), (429, "insufficient_quota")]
)
def test_our_own_trouble_with_the_provider_is_not_the_callers(status, code, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=status, body=openai_error(code, "Your plan sk-secret."))

    message = expect_error(
        tenant.generate(prompt, model=GPT), 503, "provider_unavailable", retry=True
    )

    assert "sk-secret" not in message
    assert attempts(tenant, 1) == [("failed", code)]
    expect_nothing_charged(tenant)


@pytest.mark.parametrize("send", ["nothing", "html", "truncated"])
@pytest.mark.parametrize("model", [GPT, FLUX])
def test_unusable_images_are_free(send, model, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, send=send)

    answer = tenant.generate(prompt, model=model)

    expect_error(answer, 503, "provider_unavailable", retry=True)
    expect_nothing_charged(tenant)
    resource = tenant.get(f"{GENERATIONS}/{answer.headers['X-Generation-Id']}").json()
    assert (resource["status"], resource["cost"]["amount"], resource["data"]) == (
        "failed",
        "0.00",
        [],
    )


def test_corrupt_image_is_followed_by_a_good_one(open_tenant, stack):
    # The price of one image covers two calls of this model.
    tenant, prompt = open_tenant(), new_prompt()
    stack.upstream.rule(prompt, send="truncated", times=1)

    answer = tenant.generate(prompt, model="gpt-image-1")

    assert answer.status_code == 200, answer.text
    assert [status for status, _ in attempts(tenant, 2)] == ["failed", "succeeded"]
    assert tenant.ledger_findings() == []


def test_retired_model_moves_on_to_its_successor(tenant, stack):
    prompt = new_prompt()
    gone = openai_error("invalid_value", "The model 'dall-e-3' does not exist.", param="model")
    stack.upstream.rule(prompt, status=400, body=gone, times=1)

    answer = tenant.generate(prompt)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Served-By"] == "openai/gpt-image-2.5-flare"
    assert answer.headers["X-Cost"] == "0.042"
    models = [call["model"] for call in stack.upstream.calls(prompt)]
    assert models == ["dall-e-3", "gpt-image-2.5-flare"]


def test_upstream_that_is_gone_is_unavailable_and_free(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(tenant.generate, prompt, model=GPT)
        stack.upstream.wait_for_call(prompt)
        stack.restart("upstream")
        answer = sent.result()

    # The broken call may cost us as much as the image brings: a second one would be a loss. The
    # cost is 1756 output tokens, and the prompt's, at the fact sheet's rates.
    expect_error(answer, 503, "provider_unavailable", retry=True)
    (attempt,) = tenant.attempts()
    assert (attempt.status, attempt.cost_micros) == ("failed", 52_905)
    expect_nothing_charged(tenant)


@pytest.mark.parametrize("model", ["openai/dall-e-3", FLUX])
def test_hanging_upstream_is_cut_off_at_the_deadline_and_a_late_image_is_free(model, tenant, stack):
    """The deadline is moved up: the shortest one of a model is a minute away."""
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(tenant.generate, prompt, model=model)
        stack.upstream.wait_for_call(prompt)
        assert tenant.balance() == ("9.958", "0.042")
        with stack.database():
            Generation.objects.filter(organization_id=tenant.organization_id).update(
                deadline_at=now() + timedelta(seconds=0.5)
            )
        answer = sent.result()

    message = expect_error(answer, 503, "generation_timeout")
    assert "not charged" in message
    assert answer.headers["X-Cost"] == "0.00"
    assert tenant.balance() == ("10.00", "0.00")
    stack.upstream.release(prompt)
    assert attempts(tenant, 1)[0][0] == "late"
    assert tenant.attempts()[0].cost_micros > 0
    expect_nothing_charged(tenant)
