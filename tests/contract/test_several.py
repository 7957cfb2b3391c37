"""Several images of one request: native or by several calls, whole or in part."""

import base64
import hashlib

import requests

from tests.stack import wait_until
from tests.tenants import new_prompt

NATIVE = "openai/dall-e-2"
FOUR_PER_CALL = "fal/flux-1.1-pro"
ONE_PER_CALL = "fal/recraft-v3"
TWO_ROUTES = "fal/ideogram-v2"


def sha256_of(urls):
    return [hashlib.sha256(requests.get(url, timeout=30).content).hexdigest() for url in urls]


def urls_of(answer):
    assert answer.status_code == 200, answer.text
    return [item["url"] for item in answer.json()["data"]]


def sent_by(stack, prompt):
    return [digest for call in stack.upstream.calls(prompt) for digest in call["sha256"]]


def counts(answer):
    return (
        int(answer.headers["X-Images-Requested"]),
        int(answer.headers["X-Images-Delivered"]),
        answer.headers["X-Cost"],
    )


def outcomes_of(tenant, answer):
    resource = tenant.get(f"/v1/images/generations/{answer.headers['X-Generation-Id']}").json()
    return [(one["index"], one["outcome"]) for one in resource["outcomes"]]


def test_native_n_makes_one_upstream_call(tenant, stack):
    prompt = new_prompt()

    answer = tenant.generate(prompt, model=NATIVE, n=4)

    urls = urls_of(answer)
    assert [url.rsplit("/", 1)[1] for url in urls] == ["0.png", "1.png", "2.png", "3.png"]
    assert sha256_of(urls) == sent_by(stack, prompt)
    assert len(set(sha256_of(urls))) == 4
    assert [call["body"]["n"] for call in stack.upstream.calls(prompt)] == [4]
    assert counts(answer) == (4, 4, "0.084")
    assert tenant.balance() == ("9.916", "0.00")
    assert outcomes_of(tenant, answer) == [(index, "delivered") for index in range(4)]
    assert tenant.ledger_findings() == []


def test_more_than_a_call_takes_is_split(tenant, stack):
    prompt = new_prompt()

    answer = tenant.generate(prompt, model=FOUR_PER_CALL, n=6, seed=41)

    urls = urls_of(answer)
    calls = stack.upstream.calls(prompt)
    assert sorted(call["body"].get("num_images", 1) for call in calls) == [2, 4]
    assert sorted(call["body"]["seed"] for call in calls) == [41, 45]
    assert sorted(sha256_of(urls)) == sorted(sent_by(stack, prompt))
    assert counts(answer) == (6, 6, "0.252")
    assert len(tenant.attempts()) == 2
    assert tenant.ledger_findings() == []


def test_one_image_per_call_makes_as_many_calls(tenant, stack):
    prompt = new_prompt()

    answer = tenant.generate(prompt, model=ONE_PER_CALL, n=8)

    assert len(set(urls_of(answer))) == 8
    assert len(stack.upstream.calls(prompt)) == 8
    assert sorted(attempt.number for attempt in tenant.attempts()) == list(range(1, 9))
    assert counts(answer) == (8, 8, "0.336")


def test_several_images_come_as_base64_too(tenant, stack):
    prompt = new_prompt()

    answer = tenant.generate(prompt, model=NATIVE, n=3, response_format="b64_json")

    data = [base64.b64decode(item["b64_json"]) for item in answer.json()["data"]]
    assert [hashlib.sha256(one).hexdigest() for one in data] == sent_by(stack, prompt)


def test_withheld_images_are_not_billed(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, flagged=1)

    answer = tenant.generate(prompt, model=FOUR_PER_CALL, n=4)

    assert len(urls_of(answer)) == 3
    assert counts(answer) == (4, 3, "0.126")
    assert tenant.balance() == ("9.874", "0.00")
    expected = [(0, "delivered"), (1, "delivered"), (2, "delivered"), (3, "moderated")]
    assert outcomes_of(tenant, answer) == expected
    assert answer.json()["outcomes"][3]["code"] == "content_policy_violation"
    assert tenant.ledger_findings() == []


def test_all_withheld_is_a_refusal(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, flagged=4)

    answer = tenant.generate(prompt, model=FOUR_PER_CALL, n=4)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "content_policy_violation"
    assert tenant.balance() == ("10.00", "0.00")


def test_fewer_than_asked_for_is_a_partial_success(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, count=2)

    answer = tenant.generate(prompt, model=NATIVE, n=3)

    assert len(urls_of(answer)) == 2
    assert counts(answer) == (3, 2, "0.042")
    assert outcomes_of(tenant, answer)[2] == (2, "failed")
    assert tenant.balance() == ("9.958", "0.00")


def test_surplus_images_are_neither_stored_nor_billed(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, count=5)

    answer = tenant.generate(prompt, model=NATIVE, n=2)

    assert sha256_of(urls_of(answer)) == sent_by(stack, prompt)[:2]
    assert counts(answer) == (2, 2, "0.042")
    assert len(tenant.artifacts()) == 2


def test_a_call_that_fails_for_good_leaves_the_others(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, times=2)
    refusal = {"detail": [{"loc": ["body", "prompt"], "msg": "No.", "type": "value_error"}]}
    stack.upstream.rule(prompt, status=422, body=refusal)

    answer = tenant.generate(prompt, model=ONE_PER_CALL, n=3)

    assert len(urls_of(answer)) == 2
    assert counts(answer) == (3, 2, "0.084")
    assert sorted(outcome for _, outcome in outcomes_of(tenant, answer)) == [
        "delivered",
        "delivered",
        "failed",
    ]
    assert tenant.balance() == ("9.916", "0.00")
    assert tenant.ledger_findings() == []


def test_what_one_route_could_not_make_comes_from_the_next(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, provider="fal", times=2)
    stack.upstream.rule(prompt, provider="fal", status=503)

    answer = tenant.generate(prompt, model=TWO_ROUTES, n=4)

    urls = urls_of(answer)
    assert len(urls) == 4
    by_provider = {"fal": 0, "ideogram": 0}
    for call in stack.upstream.calls(prompt):
        by_provider[call["provider"]] += len(call["sha256"])
    assert by_provider == {"fal": 2, "ideogram": 2}
    assert sorted(sha256_of(urls)) == sorted(sent_by(stack, prompt))
    assert counts(answer) == (4, 4, "0.336")
    assert tenant.balance() == ("9.664", "0.00")
    assert tenant.ledger_findings() == []


def test_a_killed_workers_calls_are_collected_and_not_repeated(tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, times=1)
    stack.upstream.rule(prompt, hold=True)
    client = tenant.send_only(prompt, model=ONE_PER_CALL, n=3)

    def two_wait_and_one_is_done():
        attempts = tenant.attempts()
        return [bool(attempt.upstream_id) for attempt in attempts] == [True] * 3 and any(
            attempt.finished_at for attempt in attempts
        )

    wait_until(two_wait_and_one_is_done, "one image is stored")
    stack.kill("worker")
    stack.upstream.release(prompt)
    stack.start_again("worker")

    def ended():
        (generation,) = tenant.generations()
        return generation if generation.is_terminal else None

    generation = wait_until(ended, "the generation ends", timeout_s=60)
    client.close()
    assert generation.status == "succeeded"
    assert generation.undelivered == []
    assert len(stack.upstream.calls(prompt)) == 3
    assert len(tenant.artifacts()) == 3
    assert {attempt.status for attempt in tenant.attempts()} == {"succeeded"}
    assert tenant.balance() == ("9.874", "0.00")
    assert tenant.ledger_findings() == []
