"""No organization sees another's data, on any URL of the API: one without a case here fails."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests
from django.urls import get_resolver

from tests.gateway.api.expect import expect_error
from tests.isolation.routes import routes
from tests.tenants import GENERATIONS, MODEL, Tenant, new_prompt

OPEN_TO_ALL = {
    "healthz", "readyz", "openapi.json", "docs", "docs/assets/<str:name>", "llms.txt",
}  # fmt: skip
PUBLIC_BY_DESIGN = "generated-images/<path:path>"
WEBHOOKS = "/v1/webhooks"
NEEDS_KEY = {
    "v1/images/generations": "POST",
    "v1/images/generations/<str:generation_id>": "GET",
    "v1/images/edits": "POST",
    "v1/images/variations": "POST",
    "v1/images/quotes": "POST",
    "v1/models": "GET",
    "v1/models/<path:model_id>": "GET",
    "v1/balance": "GET",
    "v1/usage": "GET",
    "v1/webhooks": "GET",
    "v1/webhooks/<str:webhook>": "PATCH",
    "v1/webhooks/<str:webhook>/test": "POST",
    "v1/webhooks/<str:webhook>/rotate_secret": "POST",
    "v1/webhooks/<str:webhook>/deliveries": "GET",
    "v1/webhooks/<str:webhook>/deliveries/<str:delivery>/redeliver": "POST",
}


@dataclass
class Pair:
    """Two organizations; the first has a generation with its image, and a webhook."""

    mine: Tenant
    other: Tenant
    prompt: str
    answer: requests.Response
    webhook: str
    delivery: str

    @property
    def generation(self) -> str:
        return self.answer.headers["X-Generation-Id"]

    def path(self, route: str) -> str:
        """Return the path of a route, filled in with the first organization's data."""
        filled = route.replace("<str:generation_id>", self.generation)
        filled = filled.replace("<str:webhook>", self.webhook)
        filled = filled.replace("<str:delivery>", self.delivery)
        return "/" + filled.replace("<path:model_id>", MODEL)


@pytest.fixture
def pair(open_tenant: Callable[..., Tenant]) -> Pair:
    mine, other, prompt = open_tenant(), open_tenant(amount="3"), new_prompt("secret")
    answer = mine.generate(prompt)
    assert answer.status_code == 200, answer.text
    return Pair(mine, other, prompt, answer, *open_webhook(mine))


def open_webhook(tenant: Tenant) -> tuple[str, str]:
    """Create a webhook with a delivery, and switch it off; return their ids."""
    url = f"http://127.0.0.1:{tenant.stack.receiver.getsockname()[1]}/isolation"
    made = tenant.request("POST", WEBHOOKS, json={"url": url, "events": ["balance.low"]})
    path = f"{WEBHOOKS}/{made.json()['id']}"
    delivery = tenant.request("POST", f"{path}/test").json()["id"]
    assert tenant.request("PATCH", path, json={"enabled": False}).status_code == 200
    return made.json()["id"], delivery


def test_every_url_has_its_case():
    known = OPEN_TO_ALL | {PUBLIC_BY_DESIGN} | set(NEEDS_KEY)

    assert {route.pattern for route in routes(get_resolver("gateway.api.urls"))} == known


@pytest.mark.parametrize("route", sorted(NEEDS_KEY))
def test_url_is_closed_without_a_key(route, pair, stack):
    for method in (NEEDS_KEY[route], "GET", "DELETE"):
        url = f"{stack.url}{pair.path(route)}"
        expect_error(requests.request(method, url, timeout=10), 401, "missing_api_key")


@pytest.mark.parametrize("route", sorted(NEEDS_KEY))
def test_answer_to_another_organization_tells_nothing(route, pair):
    answer = pair.other.request(NEEDS_KEY[route], pair.path(route), json={})

    told = answer.text + str(answer.headers)
    assert pair.prompt not in told
    assert pair.webhook not in told
    assert pair.delivery not in told
    assert pair.generation.removeprefix("req_") not in told
    assert str(pair.mine.organization_id) not in told


def test_list_and_usage_of_another_organization_are_empty(pair):
    assert pair.other.get(GENERATIONS).json()["data"] == []
    usage = pair.other.get("/v1/usage?group_by=model,api_key_id,user").json()["data"]
    assert {len(bucket["results"]) for bucket in usage} == {0}
    assert len(pair.mine.get(GENERATIONS).json()["data"]) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_foreign_generation_is_as_unknown_as_one_that_never_was(method, pair):
    foreign = pair.other.request(method, f"{GENERATIONS}/{pair.generation}")
    missing = pair.other.request(method, f"{GENERATIONS}/req_{'0' * 32}")

    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content
    varying = {"Date", "X-Request-Id"}
    assert set(foreign.headers) == set(missing.headers)
    assert [foreign.headers[name] for name in sorted(set(foreign.headers) - varying)] == [
        missing.headers[name] for name in sorted(set(missing.headers) - varying)
    ]
    assert pair.mine.get(f"{GENERATIONS}/{pair.generation}").status_code == 200


def test_foreign_generation_in_other_spellings_is_unknown(pair):
    bare = pair.generation.removeprefix("req_")
    for spelled in (bare, f"REQ_{bare}", f"req_{bare.upper()}", f"req_{bare}%20", f"{bare}/"):
        expect_error(pair.other.get(f"{GENERATIONS}/{spelled}"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/test"),
        ("POST", "/rotate_secret"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/{delivery}/redeliver"),
    ],
)
def test_foreign_webhook_is_unknown_and_stays_as_it_was(method, tail, pair):
    path = f"{WEBHOOKS}/{pair.webhook}"
    before = pair.mine.get(path).json()

    foreign = f"{path}{tail.format(delivery=pair.delivery)}"
    answer = pair.other.request(method, foreign, json={"enabled": True, "events": ["balance.low"]})

    expect_error(answer, 404, "not_found")
    assert pair.mine.get(path).json() == before
    assert len(pair.mine.get(f"{path}/deliveries").json()["data"]) == 1


def test_delivery_is_not_sent_again_by_way_of_ones_own_webhook(pair):
    own, _ = open_webhook(pair.other)
    path = f"{WEBHOOKS}/{own}"
    assert pair.other.request("PATCH", path, json={"enabled": True}).status_code == 200

    answer = pair.other.request("POST", f"{path}/deliveries/{pair.delivery}/redeliver")

    expect_error(answer, 404, "not_found")
    pair.other.request("DELETE", path)


def test_balance_is_ones_own(pair):
    assert pair.mine.balance() == ("9.958", "0.00")
    assert pair.other.balance() == ("3.00", "0.00")


def test_same_request_of_another_organization_is_its_own_image(pair, stack):
    """Neither an idempotency key nor an undelivered answer crosses over."""
    key = {"Idempotency-Key": "shared"}
    prompt = new_prompt()
    answers = [one.generate(prompt, headers=key) for one in (pair.mine, pair.other)]

    assert len({answer.json()["data"][0]["url"] for answer in answers}) == 2
    assert len(stack.upstream.calls(prompt)) == 2
    assert pair.other.balance() == ("2.958", "0.00")


def test_test_key_of_the_organization_reads_its_generations(pair):
    """The boundary is the organization: its keys see what its keys made."""
    tester = pair.mine.another_key(livemode=False)

    assert tester.get(f"{GENERATIONS}/{pair.generation}").status_code == 200


def test_image_is_public_to_whoever_has_its_url(pair):
    url = pair.answer.json()["data"][0]["url"]

    assert requests.get(url, timeout=10).status_code == 200
    assert requests.head(url, timeout=10).status_code == 200


def test_images_cannot_be_listed_or_guessed(pair, stack):
    root = f"{stack.url}/generated-images"
    organization = pair.mine.organization_id
    request = pair.generation.removeprefix("req_")
    guesses = [
        "",
        f"{organization}/",
        f"{organization}/{request}/",
        f"{organization}/{request}/0.png",
        f"{pair.other.organization_id}/{request}/0.png",
        f"?prefix={organization}/&list-type=2",
    ]
    for guess in guesses:
        assert requests.get(f"{root}/{guess}", timeout=10).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_image_cannot_be_changed(method, pair):
    url = pair.answer.json()["data"][0]["url"]
    before = requests.get(url, timeout=10).content

    assert requests.request(method, url, data=b"x", timeout=10).status_code == 405

    assert requests.get(url, timeout=10).content == before
