"""One `Idempotency-Key`, one generation: replayed, shared by many at once, or forgotten."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway.api.expect import expect_error
from tests.stack import wait_until
from tests.tenants import GENERATIONS, new_prompt

KEY = {"Idempotency-Key": "order-1"}
UNIT_MICROS = 42_000


def spent(tenant):
    posted, held = tenant.wallet_micros()
    assert held == 0
    return 10_000_000 - posted


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_second_request_gets_the_same_bytes_and_no_charge(response_format, tenant, stack):
    prompt = new_prompt()

    first = tenant.generate(prompt, headers=KEY, response_format=response_format)
    second = tenant.generate(prompt, headers=KEY, response_format=response_format)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["X-Generation-Id"] == first.headers["X-Generation-Id"]
    assert second.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert second.headers["X-Cost"] == first.headers["X-Cost"]
    assert len(stack.upstream.calls(prompt)) == 1
    assert spent(tenant) == UNIT_MICROS


def test_order_of_fields_and_nulls_do_not_make_another_request(tenant):
    prompt = new_prompt()
    first = tenant.request(
        "POST", GENERATIONS, headers=KEY, json={"prompt": prompt, "model": "dall-e-3", "user": None}
    )
    second = tenant.request(
        "POST", GENERATIONS, headers=KEY, json={"model": "dall-e-3", "prompt": prompt}
    )

    assert first.content == second.content
    assert spent(tenant) == UNIT_MICROS


def test_replay_survives_a_restart_of_the_web(tenant, stack):
    prompt = new_prompt()
    first = tenant.generate(prompt, headers=KEY)

    stack.restart("web")
    second = tenant.generate(prompt, headers=KEY)

    assert first.content == second.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(stack.upstream.calls(prompt)) == 1
    assert spent(tenant) == UNIT_MICROS


def test_replay_needs_neither_money_nor_a_live_upstream(open_tenant, stack):
    tenant = open_tenant(amount="0.042")
    prompt = new_prompt()

    first = tenant.generate(prompt, headers=KEY)

    assert tenant.balance() == ("0.00", "0.00")
    assert tenant.generate(prompt, headers=KEY).content == first.content


@pytest.mark.parametrize("change", [{"size": "1792x1024"}, {"response_format": "b64_json"}])
def test_another_body_is_a_conflict(change, tenant, stack):
    prompt = new_prompt()
    tenant.generate(prompt, headers=KEY)

    expect_error(tenant.generate(prompt, headers=KEY, **change), 409, "idempotency_key_reused")

    assert len(stack.upstream.calls(prompt)) == 1
    assert spent(tenant) == UNIT_MICROS


def test_key_belongs_to_one_organization(tenant, open_tenant):
    other, prompt = open_tenant(), new_prompt()

    first = tenant.generate(prompt, headers=KEY)
    second = other.generate(prompt, headers=KEY)

    assert "Idempotent-Replayed" not in second.headers
    assert first.headers["X-Generation-Id"] != second.headers["X-Generation-Id"]


def test_twenty_at_once_make_one_upstream_call(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with ThreadPoolExecutor(20) as pool:
        sent = [pool.submit(tenant.generate, prompt, headers=KEY) for _ in range(20)]
        stack.upstream.wait_for_call(prompt)
        stack.upstream.release(prompt)
        answers = [one.result() for one in sent]

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert sorted(map(str, replayed)) == ["None"] + ["true"] * 19
    assert len(stack.upstream.calls(prompt)) == 1
    assert len(tenant.generations()) == 1
    assert spent(tenant) == UNIT_MICROS


def test_final_failure_is_replayed(tenant, stack):
    prompt = new_prompt()
    error = {"message": "No.", "type": "x", "param": None, "code": "content_policy_violation"}
    stack.upstream.rule(prompt, status=400, body={"error": error})

    first = tenant.generate(prompt, headers=KEY)
    second = tenant.generate(prompt, headers=KEY)

    expect_error(first, 400, "content_policy_violation", "prompt")
    assert second.content == first.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(stack.upstream.calls(prompt)) == 1
    assert spent(tenant) == 0


def test_retryable_failure_is_forgotten(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, status=500, times=3)
    # It has one route, of which three calls are the most.
    how = {"headers": KEY, "model": "gpt-image-2", "quality": "low"}

    expect_error(tenant.generate(prompt, **how), 503, "provider_unavailable", retry=True)
    again = tenant.generate(prompt, **how)

    assert again.status_code == 200
    assert "Idempotent-Replayed" not in again.headers
    assert len(stack.upstream.calls(prompt)) == 4
    assert [row.status for row in tenant.generations()] == ["failed", "succeeded"]
    assert [hold.status for hold in tenant.holds()] == ["released", "captured"]


def test_refusal_before_the_work_leaves_the_key_free(open_tenant):
    tenant = open_tenant(amount="0")
    prompt = new_prompt()
    expect_error(tenant.generate(prompt, headers=KEY), 402, "insufficient_balance")
    tenant.top_up("1")

    assert tenant.generate(prompt, headers=KEY).status_code == 200


def test_request_cut_off_is_answered_to_its_key(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    tenant.send_only(prompt, headers=KEY).close()
    stack.upstream.wait_for_call(prompt)
    stack.upstream.release(prompt)

    answer = tenant.generate(prompt, headers=KEY)

    assert answer.status_code == 200
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert len(stack.upstream.calls(prompt)) == 1
    wait_until(lambda: tenant.balance() == ("9.958", "0.00"), "one image is paid")


def test_sample_of_a_test_key_never_answers_a_live_request(tenant, stack):
    tester, prompt = tenant.another_key(livemode=False), new_prompt()
    assert tester.generate(prompt, headers=KEY).headers["X-Served-By"] == "sandbox"

    expect_error(tenant.generate(prompt, headers=KEY), 409, "idempotency_key_reused")


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "\xb2", "9" * 5_000])
def test_odd_retry_counts_are_no_error(value, tenant):
    answer = tenant.generate(
        new_prompt(), headers={"x-stainless-retry-count": value.encode("latin-1")}
    )

    assert answer.status_code == 200, answer.text
