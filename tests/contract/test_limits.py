"""Limits as the official client meets them: it reads the headers and retries when it is told."""

import openai
import pytest
import redis

from orgs.services.api_keys import Rates
from tests.tenants import MODEL, new_prompt

MANY = "openai/dall-e-2"


def let_time_pass(tenant, seconds: float) -> None:
    """Move what the limits of a key remember into the past."""
    client = redis.Redis.from_url(tenant.stack.environment["REDIS_URL"])
    found = list(client.scan_iter(f"lienzo:rate:*{tenant.api_key_id}*"))
    assert found
    for key in found:
        for index, entry in enumerate(client.lrange(key, 0, -1)):
            client.lset(key, index, repr(float(entry) - seconds))
    client.close()


def test_client_comes_again_when_the_limit_lets_it(open_tenant, connect):
    tenant = open_tenant(rates=Rates(1, 1))
    client = connect(tenant, max_retries=2)
    client.images.generate(model=MODEL, prompt=new_prompt())
    let_time_pass(tenant, 58.5)

    answer = client.images.with_raw_response.generate(model=MODEL, prompt=new_prompt())

    assert answer.retries_taken == 1
    assert answer.parse().data
    assert len(tenant.generations()) == 2


def test_client_reads_the_headers(open_tenant, connect):
    client = connect(open_tenant(rates=Rates(60, 120)))

    answer = client.images.with_raw_response.generate(model=MANY, prompt=new_prompt(), n=2)

    assert {
        name: answer.headers[name]
        for name in answer.headers
        if name.lower().startswith("x-ratelimit-")
    } == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-limit-images": "120",
        "x-ratelimit-remaining-images": "118",
        "x-ratelimit-reset-images": "1m0s",
    }


def test_limit_is_a_rate_limit_error(open_tenant, connect):
    tenant = open_tenant(rates=Rates(images_per_minute=3))
    client = connect(tenant, max_retries=0)
    client.images.generate(model=MANY, prompt=new_prompt(), n=2)
    let_time_pass(tenant, 20)

    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(model=MANY, prompt=new_prompt(), n=2)

    error = caught.value
    assert (error.type, error.code, error.param) == (
        "rate_limit_error",
        "rate_limit_exceeded",
        None,
    )
    assert "limit of 3 images per minute" in error.message
    # Less by the time that the calls took.
    assert 20 <= int(error.response.headers["retry-after"]) <= 40
    assert error.response.headers["x-ratelimit-remaining-images"] == "1"
    assert int(error.response.headers["x-ratelimit-reset-images"].removesuffix("s")) <= 40
    # The image that is left was not used up.
    assert client.images.generate(model=MANY, prompt=new_prompt()).data


def test_client_does_not_try_again_what_can_never_pass(open_tenant, connect):
    client = connect(open_tenant(rates=Rates(images_per_minute=1)), max_retries=5)

    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(model=MANY, prompt=new_prompt(), n=2)

    assert caught.value.response.headers["x-should-retry"] == "false"
