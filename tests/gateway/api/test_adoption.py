"""A resend of a request whose answer nobody got takes that answer over, and pays nothing again."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests

from core.clock import now
from gateway.models import Generation
from tests.stack import wait_until
from tests.tenants import GENERATIONS, MODEL, new_prompt

UNIT_MICROS = 42_000
SDK_RETRY = {"x-stainless-retry-count": "1"}
RESENDS = pytest.mark.parametrize("resend", [{}, SDK_RETRY], ids=["plain", "sdk"])


def spent(tenant):
    posted, held = tenant.wallet_micros()
    assert held == 0
    return 10_000_000 - posted


def cut_off(tenant, stack, prompt, **body):
    """Send a request, hang up while its job runs, and wait until the server has noticed."""
    stack.upstream.rule(prompt, hold=True)
    with tenant.send_only(prompt, **body):
        stack.upstream.wait_for_call(prompt)
    wait_until(lambda: tenant.generations()[0].connection_closed_at, "the hang-up is noticed")


def expect_adopted(answer, tenant, stack, prompt):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert len(stack.upstream.calls(prompt)) == 1
    assert len(tenant.generations()) == 1
    assert spent(tenant) == UNIT_MICROS


@RESENDS
def test_resend_while_the_job_runs_waits_for_it(resend, tenant, stack):
    prompt = new_prompt()
    cut_off(tenant, stack, prompt)
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(tenant.generate, prompt, headers=resend)
        wait_until(
            lambda: tenant.generations()[0].connection_closed_at is None, "the job is taken over"
        )
        stack.upstream.release(prompt)

    expect_adopted(again.result(), tenant, stack, prompt)


@RESENDS
def test_resend_after_the_job_has_ended_gets_its_image(resend, tenant, stack):
    prompt = new_prompt()
    cut_off(tenant, stack, prompt)
    stack.upstream.release(prompt)
    wait_until(lambda: tenant.generations()[0].finished_at, "the job has ended")

    again = tenant.generate(prompt, headers=resend)

    expect_adopted(again, tenant, stack, prompt)
    third = tenant.generate(prompt)
    assert "Idempotent-Replayed" not in third.headers
    assert third.json()["data"] != again.json()["data"]


def test_refusal_that_nobody_got_is_adopted(tenant, stack):
    prompt = new_prompt()
    error = {"message": "No.", "type": "x", "param": None, "code": "content_policy_violation"}
    stack.upstream.rule(prompt, hold=True, status=400, body={"error": error})
    with tenant.send_only(prompt):
        stack.upstream.wait_for_call(prompt)
    wait_until(lambda: tenant.generations()[0].connection_closed_at, "the hang-up is noticed")
    stack.upstream.release(prompt)

    again = tenant.generate(prompt)

    assert (again.status_code, again.json()["error"]["code"]) == (400, "content_policy_violation")
    assert len(stack.upstream.calls(prompt)) == 1


def test_another_request_is_not_adopted(tenant, stack):
    prompt = new_prompt()
    cut_off(tenant, stack, prompt)
    stack.upstream.release(prompt)

    for change in ({"size": "1792x1024"}, {"user": "someone"}, {"response_format": "b64_json"}):
        answer = tenant.generate(prompt, **change)
        assert "Idempotent-Replayed" not in answer.headers
    assert len(tenant.generations()) == 4


def test_another_key_does_not_adopt(tenant, stack):
    prompt = new_prompt()
    cut_off(tenant, stack, prompt)
    stack.upstream.release(prompt)

    answer = tenant.another_key().generate(prompt)

    assert "Idempotent-Replayed" not in answer.headers


def test_of_two_resends_one_adopts(tenant, stack):
    prompt = new_prompt()
    cut_off(tenant, stack, prompt)
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(tenant.generate, prompt) for _ in range(2)]
        stack.upstream.wait_for_call(prompt, count=2)
        stack.upstream.release(prompt)
        answers = [one.result() for one in sent]

    replayed = sorted(str(answer.headers.get("Idempotent-Replayed")) for answer in answers)
    assert replayed == ["None", "true"]
    assert len({answer.json()["data"][0]["url"] for answer in answers}) == 2
    assert spent(tenant) == 2 * UNIT_MICROS


def test_job_older_than_a_quarter_of_an_hour_is_not_adopted(tenant, stack):
    prompt = new_prompt()
    cut_off(tenant, stack, prompt)
    stack.upstream.release(prompt)
    wait_until(lambda: tenant.generations()[0].finished_at, "the job has ended")
    with stack.database():
        Generation.objects.filter(organization_id=tenant.organization_id).update(
            created_at=now() - timedelta(minutes=15, seconds=1)
        )

    assert "Idempotent-Replayed" not in tenant.generate(prompt).headers


def test_killed_web_process_leaves_its_jobs_to_resends(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with tenant.send_only(prompt):
        stack.upstream.wait_for_call(prompt)
        process = tenant.generations()[0].web_process_id
        stack.kill_web_process(process)
        wait_until(lambda: process not in stack.process_ids("web"), "the process is gone")
        with ThreadPoolExecutor(1) as pool:
            again = pool.submit(tenant.generate, prompt, headers=SDK_RETRY)
            wait_until(lambda: len(stack.process_ids("web")) == 2, "the web process is back")
            stack.upstream.release(prompt)

    expect_adopted(again.result(), tenant, stack, prompt)


def test_killed_web_keeps_its_finished_jobs(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with tenant.send_only(prompt):
        stack.upstream.wait_for_call(prompt)
        stack.kill("web")
        stack.upstream.release(prompt)
        wait_until(lambda: tenant.generations()[0].finished_at, "the job has ended")
        stack.start_again("web")

    expect_adopted(tenant.generate(prompt), tenant, stack, prompt)


def expect_separate(answers, tenant, stack, prompt):
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"][0]["url"] for answer in answers}) == len(answers)
    assert all("Idempotent-Replayed" not in answer.headers for answer in answers)
    images = [digest for call in stack.upstream.calls(prompt) for digest in call["sha256"]]
    assert len(set(images)) == len(answers)
    assert {bytes(one.sha256).hex() for one in tenant.artifacts()} == set(images)
    assert spent(tenant) == len(answers) * UNIT_MICROS


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_answered_calls_with_one_prompt_are_separate_images(connection, tenant, stack):
    prompt = new_prompt()
    with requests.Session() as session:
        session.headers.update({"Authorization": f"Bearer {tenant.key}", "Connection": connection})
        answers = [
            session.post(f"{stack.url}{GENERATIONS}", json={"model": MODEL, "prompt": prompt})
            for _ in range(5)
        ]

    expect_separate(answers, tenant, stack, prompt)


def test_parallel_calls_with_one_prompt_are_separate_images(tenant, stack):
    prompt = new_prompt()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(tenant.generate, [prompt] * 8))

    expect_separate(answers, tenant, stack, prompt)


def test_sdk_retry_does_not_take_a_job_that_is_still_waited_for(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(tenant.generate, prompt)
        stack.upstream.wait_for_call(prompt)
        second = pool.submit(tenant.generate, prompt, headers=SDK_RETRY)
        stack.upstream.wait_for_call(prompt, count=2)
        stack.upstream.release(prompt)

    expect_separate([first.result(), second.result()], tenant, stack, prompt)


def test_answer_read_whole_and_then_dropped_counts_as_answered(tenant, stack):
    """A client that closes right after the last byte has its image."""
    prompt = new_prompt()
    address = urlsplit(stack.url)
    urls = []
    for _ in range(5):
        client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        body = json.dumps({"model": MODEL, "prompt": prompt})
        client.request("POST", GENERATIONS, body, {"Authorization": f"Bearer {tenant.key}"})
        urls.append(json.loads(client.getresponse().read())["data"][0]["url"])
        client.close()

    assert len(set(urls)) == 5
