"""The official client retries by itself: a retry takes over what runs, and pays nothing twice."""

from concurrent.futures import ThreadPoolExecutor

from tests.stack import wait_until
from tests.tenants import MODEL, new_prompt


def test_clients_timeout_and_retry_get_the_running_image(connect, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    client = connect(tenant, timeout=1.0, max_retries=5)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client.images.with_raw_response.generate, model=MODEL, prompt=prompt)
        stack.upstream.wait_for_call(prompt)
        first = tenant.generations()[0].connection_id
        wait_until(lambda: tenant.generations()[0].connection_id != first, "a retry has come")
        stack.upstream.release(prompt)
        answer = sent.result()

    assert answer.retries_taken >= 1
    assert answer.headers["idempotent-replayed"] == "true"
    assert answer.parse().data
    assert len(stack.upstream.calls(prompt)) == 1
    assert len(tenant.generations()) == 1
    assert tenant.balance() == ("9.958", "0.00")


def test_retry_after_an_unavailable_provider_is_new_and_paid_once(connect, tenant, stack):
    prompt, headers = new_prompt(), {"Idempotency-Key": "order"}
    # Of one model with one route, three calls are the most.
    stack.upstream.rule(prompt, status=500, times=3)

    answer = connect(tenant, max_retries=1).images.with_raw_response.generate(
        model="gpt-image-2", quality="low", prompt=prompt, extra_headers=headers
    )

    assert answer.retries_taken == 1
    assert "idempotent-replayed" not in answer.headers
    assert [row.status for row in tenant.generations()] == ["failed", "succeeded"]
    assert [hold.status for hold in tenant.holds()] == ["released", "captured"]
    assert len(tenant.artifacts()) == 1
    assert tenant.ledger_findings() == []


def test_clients_own_idempotency_key_is_one_image_for_all_its_calls(connect, tenant, stack):
    prompt = new_prompt()
    client = connect(tenant, default_headers={"Idempotency-Key": "once"})

    urls = {client.images.generate(model=MODEL, prompt=prompt).data[0].url for _ in range(3)}

    assert len(urls) == len(stack.upstream.calls(prompt)) == 1
