"""`GET /v1/images/generations`: pages of an organization's generations, newest first."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.gateway.api.expect import expect_error
from tests.tenants import GENERATIONS, MODEL, Tenant, new_prompt

CHEAP = "fal/flux-schnell"


def listed(tenant: Tenant, **query: object) -> dict[str, Any]:
    answer = tenant.get(f"{GENERATIONS}?{urlencode(query)}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def ids(tenant: Tenant, **query: object) -> list[str]:
    return [item["id"] for item in listed(tenant, **query)["data"]]


def pages(tenant: Tenant, **query: object) -> Iterator[list[str]]:
    after: dict[str, str] = {}
    while True:
        page = listed(tenant, **query, **after)
        found = [item["id"] for item in page["data"]]
        assert (page["first_id"], page["last_id"]) == (
            (found[0], found[-1]) if found else (None, None)
        )
        yield found
        if not page["has_more"]:
            return
        after = {"after": page["last_id"]}


@pytest.fixture
def made(tenant) -> Callable[..., str]:
    def make(prompt: str = "", *, headers: dict[str, str] | None = None, **body: object) -> str:
        answer = tenant.generate(prompt or new_prompt(), headers=headers, **body)
        return str(answer.headers["X-Generation-Id"])

    return make


def test_pages_hold_every_generation_once_and_newest_first(made, tenant):
    newest_first = [made() for _ in range(5)][::-1]

    assert listed(tenant)["object"] == "list"
    assert ids(tenant) == newest_first
    for limit in (1, 2, 5, 100):
        parts = list(pages(tenant, limit=limit))
        assert [one for part in parts for one in part] == newest_first
        assert {len(part) for part in parts[:-1]} <= {limit}
        assert len(parts) == -(-5 // limit)


def test_item_is_what_its_own_url_shows(made, tenant):
    generation_id = made()

    [item] = listed(tenant)["data"]

    assert item == tenant.get(f"{GENERATIONS}/{generation_id}").json()
    assert item["attempts"]
    assert item["data"][0]["url"]


def test_generations_made_while_paging_do_not_shift_pages(made, tenant):
    first, second = made(), made()
    page = listed(tenant, limit=1)
    made()

    assert ids(tenant, limit=1, after=page["last_id"]) == [first]
    assert page["last_id"] == second


def test_filters_find_what_they_name(made, tenant, stack):
    failing = new_prompt()
    stack.upstream.rule(failing, status=500)
    plain = made()
    by_user = made(user="alice")
    by_client = made(headers={"X-Client-Request-Id": "call-7"})
    by_key = made(headers={"Idempotency-Key": "order-7"})
    other_model = made(model="dall-e-2")
    failed = made(failing, user="alice")

    assert ids(tenant, user="alice") == [failed, by_user]
    assert ids(tenant, user="alice", status="succeeded") == [by_user]
    assert ids(tenant, user="Alice") == []
    assert ids(tenant, client_request_id="call-7") == [by_client]
    assert ids(tenant, idempotency_key="order-7") == [by_key]
    assert ids(tenant, idempotency_key="order-8") == []
    assert ids(tenant, model="dall-e-2") == [other_model]
    assert ids(tenant, model=MODEL, status="succeeded") == [by_key, by_client, by_user, plain]
    assert ids(tenant, status="failed") == [failed]
    for status in ("queued", "running", "canceled"):
        assert ids(tenant, status=status) == []
    assert list(pages(tenant, user="alice", limit=1)) == [[failed], [by_user]]


def test_times_bound_the_list_by_whole_seconds(made, tenant):
    first = made()
    time.sleep(1.1)
    second = made()
    created = {item["id"]: item["created"] for item in listed(tenant)["data"]}

    assert ids(tenant, created_after=created[first]) == [second, first]
    assert ids(tenant, created_after=created[second]) == [second]
    assert ids(tenant, created_before=created[second]) == [first]
    assert ids(tenant, created_after=created[first], created_before=created[second]) == [first]
    assert ids(tenant, created_after=created[second] + 60) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1e1", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("after=nonsense", "after"),
        (f"after=req_{'0' * 32}", "after"),
        ("status=done", "status"),
        ("status=SUCCEEDED", "status"),
        ("status=", "status"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-11-21", "created_after"),
        ("created_before=-5", "created_before"),
        ("created_before=99999999999999", "created_before"),
        ("user=%00", "user"),
        (f"user={'u' * 513}", "user"),
        (f"idempotency_key={'k' * 256}", "idempotency_key"),
        (f"model={'m' * 101}", "model"),
    ],
)
def test_bad_values_are_refused_by_name(query, param, tenant):
    expect_error(tenant.get(f"{GENERATIONS}?{query}"), 400, "invalid_value", param)


def test_unknown_parameters_are_ignored_and_named(made, tenant):
    generation_id = made()

    answer = tenant.get(f"{GENERATIONS}?order=asc&statuss=failed")

    assert [item["id"] for item in answer.json()["data"]] == [generation_id]
    assert answer.headers["X-Dropped-Params"] == "order, statuss"


def test_list_is_the_organizations_own(made, open_tenant, tenant):
    mine = made(user="alice", headers={"Idempotency-Key": "k", "X-Client-Request-Id": "c"})
    other = open_tenant()

    for query in ({}, {"user": "alice"}, {"idempotency_key": "k"}, {"client_request_id": "c"}):
        assert ids(other, **query) == []
        assert ids(tenant, **query) == [mine]
    expect_error(other.get(f"{GENERATIONS}?after={mine}"), 400, "invalid_value", "after")


def test_list_needs_the_scope_to_read(tenant):
    writer = tenant.another_key(scopes=("images:write",))

    expect_error(writer.get(GENERATIONS), 403, "insufficient_scope")
