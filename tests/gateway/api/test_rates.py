"""Requests and images per minute: what counts, what does not, and what the answers say."""

from uuid import uuid4

import pytest

from orgs.models import Organization
from orgs.services.api_keys import Rates
from tests.gateway.api.expect import expect_error, expect_nothing_written
from tests.stack import wait_until
from tests.tenants import GENERATIONS, new_prompt

MANY = "openai/dall-e-2"
HEADERS = [
    f"X-RateLimit-{what}-{of}"
    for of in ("Requests", "Images")
    for what in ("Limit", "Remaining", "Reset")
]


def rates_of(answer):
    """Return limit and remaining, of requests and of images."""
    limit, remaining, _, images_limit, images_remaining, _ = (
        answer.headers.get(name) for name in HEADERS
    )
    return (limit, remaining), (images_limit, images_remaining)


def limit_organization(tenant, *, requests=None, images=None):
    """Set before the tenant's first request, so that no process knows it without."""
    with tenant.stack.database():
        Organization.objects.filter(id=tenant.organization_id).update(
            requests_per_minute=requests, images_per_minute=images
        )


def expect_limited(answer, *words):
    message = expect_error(answer, 429, "rate_limit_exceeded", retry=True)
    assert [word for word in words if word not in message] == []
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    return message


def test_answers_tell_how_the_limits_stand(open_tenant):
    tenant = open_tenant(rates=Rates(3, 10))

    first = tenant.generate(new_prompt(), model=MANY, n=4)
    second = tenant.generate(new_prompt())

    assert first.status_code == second.status_code == 200
    assert rates_of(first) == (("3", "2"), ("10", "6"))
    assert rates_of(second) == (("3", "1"), ("10", "5"))
    assert first.headers["X-RateLimit-Reset-Requests"] == "1m0s"
    assert first.headers["X-RateLimit-Reset-Images"] == "1m0s"


def test_only_limits_that_exist_have_headers(open_tenant):
    free, images_only = open_tenant(), open_tenant(rates=Rates(images_per_minute=10))

    without = free.generate(new_prompt())
    partly = images_only.generate(new_prompt())

    assert [name for name in HEADERS if name in without.headers] == []
    assert rates_of(partly) == ((None, None), ("10", "9"))


def test_images_count_as_many_and_a_refusal_uses_none_up(open_tenant):
    tenant = open_tenant(rates=Rates(images_per_minute=5))
    assert tenant.generate(new_prompt(), model=MANY, n=3).status_code == 200

    refused = tenant.generate(new_prompt(), model=MANY, n=3)
    fitting = tenant.generate(new_prompt(), model=MANY, n=2)
    full = tenant.generate(new_prompt())

    expect_limited(refused, "API key's limit of 5 images per minute", "leaves 2", "3 is asked for")
    assert rates_of(refused)[1] == ("5", "2")
    assert fitting.status_code == 200
    assert rates_of(fitting)[1] == ("5", "0")
    expect_limited(full, "5 images per minute")
    reset = full.headers["X-RateLimit-Reset-Images"]
    assert reset == "1m0s" or 0 < int(reset.removesuffix("s")) < 60
    assert len(tenant.generations()) == 2


def test_requests_are_limited_and_leave_the_images_alone(open_tenant):
    tenant = open_tenant(rates=Rates(1, 10))
    tenant.generate(new_prompt())

    refused = tenant.generate(new_prompt(), model=MANY, n=2)

    expect_limited(refused, "API key's limit of 1 requests per minute")
    assert rates_of(refused) == (("1", "0"), ("10", "9"))


def test_more_images_than_the_limit_is_not_worth_a_retry(open_tenant):
    tenant = open_tenant(rates=Rates(images_per_minute=3))

    answer = tenant.generate(new_prompt(), model=MANY, n=4)

    message = expect_error(answer, 429, "rate_limit_exceeded", retry=False)
    assert "4 images at once" in message
    assert "limit of 3 images per minute" in message
    assert rates_of(answer)[1] == ("3", "3")
    expect_nothing_written(tenant)


def test_organizations_limit_is_shared_by_its_keys(open_tenant):
    tenant = open_tenant(rates=Rates(images_per_minute=100))
    limit_organization(tenant, images=3)
    other = tenant.another_key()

    first = tenant.generate(new_prompt(), model=MANY, n=2)
    refused = other.generate(new_prompt(), model=MANY, n=2)
    fitting = other.generate(new_prompt())

    # The nearer limit is the one that is told.
    assert rates_of(first)[1] == ("3", "1")
    expect_limited(refused, "organization's limit of 3 images per minute")
    assert fitting.status_code == 200


def test_keys_are_counted_apart(open_tenant):
    tenant = open_tenant(rates=Rates(1))
    other = tenant.another_key(rates=Rates(1))

    assert tenant.generate(new_prompt()).status_code == 200
    assert other.generate(new_prompt()).status_code == 200
    expect_limited(tenant.generate(new_prompt()), "1 requests per minute")


def test_test_keys_are_limited_too(open_tenant):
    tenant = open_tenant(livemode=False, rates=Rates(1))

    assert rates_of(tenant.generate(new_prompt()))[0] == ("1", "0")
    expect_limited(tenant.generate(new_prompt()), "1 requests per minute")


def test_replay_takes_nothing(open_tenant):
    tenant = open_tenant(rates=Rates(2, 2))
    prompt, key = new_prompt(), {"Idempotency-Key": uuid4().hex}
    tenant.generate(prompt, headers=key)

    replays = [tenant.generate(prompt, headers=key) for _ in range(3)]
    last = tenant.generate(new_prompt())

    assert {answer.headers["Idempotent-Replayed"] for answer in replays} == {"true"}
    assert last.status_code == 200
    assert rates_of(last) == (("2", "0"), ("2", "0"))
    assert tenant.generate(prompt, headers=key).status_code == 200


def test_adoption_takes_nothing(open_tenant, stack):
    tenant = open_tenant(rates=Rates(1, 1))
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with tenant.send_only(prompt):
        stack.upstream.wait_for_call(prompt)
    wait_until(lambda: tenant.generations()[0].connection_closed_at, "the hang-up is noticed")
    stack.upstream.release(prompt)

    again = tenant.generate(prompt)

    assert again.status_code == 200, again.text
    assert again.headers["Idempotent-Replayed"] == "true"
    expect_limited(tenant.generate(new_prompt()), "1 requests per minute")


def test_request_without_money_gives_its_images_back(open_tenant):
    tenant = open_tenant(amount="0.05", rates=Rates(10, 10))

    poor = tenant.generate(new_prompt(), model="openai/dall-e-3", quality="hd", size="1792x1024")
    rich = tenant.generate(new_prompt(), model="openai/dall-e-2")

    expect_error(poor, 402, "insufficient_balance")
    assert rates_of(poor) == (("10", "9"), ("10", "10"))
    assert rich.status_code == 200
    assert rates_of(rich) == (("10", "8"), ("10", "9"))


def test_too_many_jobs_at_once_give_their_images_back(open_tenant, stack):
    tenant = open_tenant(max_concurrent=1, rates=Rates(10, 10))
    held = new_prompt("held")
    stack.upstream.rule(held, hold=True)
    with tenant.send_only(held):
        stack.upstream.wait_for_call(held)

        refused = tenant.generate(new_prompt(), model=MANY, n=3)

    message = expect_error(refused, 429, "concurrency_exceeded", retry=True)
    assert "its limit is 1" in message
    assert rates_of(refused) == (("10", "8"), ("10", "9"))
    stack.upstream.release(held)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"prompt": ""}, 400), ({"n": 0}, 400), ({"model": "no-such-model"}, 404)],
)
def test_request_that_cannot_be_served_takes_nothing(body, status, open_tenant):
    tenant = open_tenant(rates=Rates(1, 1))

    assert tenant.request("POST", GENERATIONS, json={"prompt": "a", **body}).status_code == status
    assert tenant.generate(new_prompt()).status_code == 200


def test_looking_takes_nothing(open_tenant):
    tenant = open_tenant(rates=Rates(1, 1))

    for path in ("/v1/models/dall-e-3", "/v1/balance") * 2:
        assert tenant.get(path).status_code == 200
    assert tenant.generate(new_prompt()).status_code == 200
