"""What a key may do, from where, and how it is replaced by another one."""

import time
from datetime import timedelta
from ipaddress import ip_network

import pytest
import requests
from django.test import RequestFactory
from rest_framework.views import APIView

from core.clock import now
from gateway.api import urls
from gateway.api.middleware import client_address
from orgs.models import ApiKey
from orgs.services.api_keys import Rates
from orgs.services.audit import SYSTEM
from orgs.services.key_administration import SCOPES, revoke_api_key, rotate_api_key
from tests.gateway.api.expect import expect_error, expect_nothing_written
from tests.tenants import GENERATIONS, new_prompt

PROXY = "10.0.0.5"
NOBODYS = f"req_{'0' * 32}"
METHODS = ("get", "post", "patch", "put", "delete")
EFFECTIVE_S = 2.0


def endpoints():
    """Yield each method of each path that asks for a key."""
    for pattern in urls.urlpatterns:
        view = getattr(pattern.callback, "cls", None)
        if view is not None and issubclass(view, APIView):
            path = "/" + str(pattern.pattern)
            for part in ("<str:", "<path:", "<uuid:"):
                while part in path:
                    start = path.index(part)
                    path = path[:start] + NOBODYS + path[path.index(">", start) + 1 :]
            yield from ((method, path) for method in METHODS if hasattr(view, method))


def test_every_endpoint_asks_for_a_scope(open_tenant, stack):
    tenant = open_tenant()
    with stack.database():
        ApiKey.objects.filter(id=tenant.api_key_id).update(scopes=["nothing"])
    asked = list(endpoints())

    assert ("get", "/v1/balance") in asked
    for method, path in asked:
        answer = tenant.request(method.upper(), path, json={})
        expect_error(answer, 403, "insufficient_scope")


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_opens_its_own_endpoints_alone(scope, open_tenant):
    tenant = open_tenant(scopes=[scope])
    needed = {
        ("GET", "/v1/models"): "images:read",
        ("GET", "/v1/models/dall-e-3"): "images:read",
        ("GET", GENERATIONS): "images:read",
        ("GET", f"{GENERATIONS}/{NOBODYS}"): "images:read",
        ("POST", GENERATIONS): "images:write",
        ("POST", "/v1/images/quotes"): "images:write",
        ("DELETE", f"{GENERATIONS}/{NOBODYS}"): "images:write",
        ("GET", "/v1/balance"): "billing:read",
        ("GET", "/v1/usage"): "billing:read",
        ("GET", "/v1/webhooks"): "webhooks:write",
        ("POST", "/v1/webhooks"): "webhooks:write",
        ("DELETE", f"/v1/webhooks/{NOBODYS}"): "webhooks:write",
    }

    for (method, path), wanted in needed.items():
        answer = tenant.request(method, path, json={"prompt": ""} if method == "POST" else None)
        assert (answer.status_code == 403) == (scope != wanted), (path, answer.text)
        if scope != wanted:
            expect_error(answer, 403, "insufficient_scope")


@pytest.mark.parametrize("allowed", ["dall-e-3", "openai/dall-e-3"])
def test_only_allowed_models_are_drawn_by_whichever_of_their_ids(allowed, open_tenant):
    tenant = open_tenant(models_allowed=[allowed])

    refused = tenant.generate(new_prompt(), model="fal/flux-1.1-pro")
    drawn = [tenant.generate(new_prompt(), model=name) for name in ("dall-e-3", "openai/dall-e-3")]

    message = expect_error(refused, 403, "model_not_allowed", "model")
    quote = {"model": "fal/flux-1.1-pro", "prompt": "a cat"}
    quoted = tenant.request("POST", "/v1/images/quotes", json=quote)
    expect_error(quoted, 403, "model_not_allowed", "model")
    assert "fal/flux-1.1-pro" in message
    assert [answer.status_code for answer in drawn] == [200, 200]
    assert len(tenant.generations()) == 2


def test_only_models_that_key_and_organization_may_use_are_listed(open_tenant):
    tenant = open_tenant(models_allowed=["openai/dall-e-3", "dall-e-2"])
    every = {one["id"] for one in tenant.another_key().get("/v1/models").json()["data"]}
    tenant.set_organization(allowed_models=["dall-e-3", "fal/flux-1.1-pro"])

    listed = {one["id"] for one in tenant.get("/v1/models").json()["data"]}

    assert {"dall-e-2", "fal/flux-1.1-pro"} < every
    assert listed == {"dall-e-3", "openai/dall-e-3"}
    assert tenant.get("/v1/models/openai/dall-e-3").status_code == 200
    for refused in ("dall-e-2", "fal/flux-1.1-pro"):
        expect_error(tenant.get(f"/v1/models/{refused}"), 403, "model_not_allowed", "model")
    expect_error(tenant.get("/v1/models/nothing"), 404, "model_not_found", "model")


# --- addresses ---


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        # What a caller writes himself is believed of nobody but a proxy.
        ("203.0.113.9", "10.9.9.9", "203.0.113.9"),
        (PROXY, "203.0.113.9", "203.0.113.9"),
        # The proxy appends whom it saw: what stands before it is the caller's own invention.
        (PROXY, "10.9.9.9, 203.0.113.9", "203.0.113.9"),
        (PROXY, "192.168.0.1,10.0.0.6,203.0.113.9", "203.0.113.9"),
        # Two proxies of ours, the caller behind both.
        (PROXY, "203.0.113.9, 10.0.0.6", "203.0.113.9"),
        (PROXY, "198.51.100.1, 203.0.113.9, 10.0.0.6", "203.0.113.9"),
        (PROXY, "203.0.113.9:4711", "203.0.113.9"),
        (PROXY, "[2001:db8::9]:4711", "2001:db8::9"),
        (PROXY, "::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.5", "203.0.113.9", "203.0.113.9"),
        # Nonsense ends the walk at the last good address.
        (PROXY, "unknown", PROXY),
        (PROXY, "203.0.113.9, nonsense", PROXY),
        (PROXY, "", PROXY),
        (PROXY, None, PROXY),
    ],
)
def test_address_is_the_nearest_that_is_no_proxy_of_ours(peer, forwarded, address, settings):
    settings.TRUSTED_PROXY_CIDRS = [ip_network("10.0.0.0/29")]
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}

    assert client_address(RequestFactory().get("/", REMOTE_ADDR=peer, **headers)) == address


@pytest.mark.parametrize(
    "forged",
    [
        {"X-Forwarded-For": "10.1.1.1"},
        {"X_Forwarded_For": "10.1.1.1"},
        {"X-Real-IP": "10.1.1.1"},
        {"Forwarded": "for=10.1.1.1"},
        {"True-Client-IP": "10.1.1.1"},
    ],
)
def test_no_header_moves_a_caller_into_a_network(forged, open_tenant):
    tenant = open_tenant(cidrs=["10.0.0.0/8"])

    expect_error(tenant.generate("a cat", headers=forged), 403, "ip_not_allowed")
    expect_nothing_written(tenant)


def test_networks_may_be_of_both_families(open_tenant):
    tenant = open_tenant(cidrs=["2001:db8::/32", "127.0.0.1/32"])

    assert tenant.get("/v1/models/dall-e-3").status_code == 200


# --- rotation ---


def rotate(tenant, overlap=timedelta(hours=24)):
    """Return the new secret."""
    with tenant.stack.database():
        return rotate_api_key(
            api_key_id=tenant.api_key_id,
            organization_id=tenant.organization_id,
            overlap=overlap,
            actor=SYSTEM,
            now=now(),
        )[1]


def ask(tenant, key):
    headers = {"Authorization": f"Bearer {key}"}
    return requests.get(f"{tenant.stack.url}/v1/balance", headers=headers, timeout=10)


def test_both_secrets_work_during_the_overlap(tenant):
    old, new = tenant.key, rotate(tenant)

    assert new != old
    assert new.startswith("lz_sk_live_")
    for _ in range(6):
        assert [ask(tenant, key).status_code for key in (old, new)] == [200, 200]


def test_rotated_key_is_one_key_with_one_policy(open_tenant):
    tenant = open_tenant(
        rates=Rates(images_per_minute=3),
        models_allowed=["openai/dall-e-3"],
        scopes=["images:write"],
        budget_micros=3 * 42_000,
    )
    prompt, once = new_prompt(), {"Idempotency-Key": "once"}
    first = tenant.generate(prompt, headers=once)
    new = {"Authorization": f"Bearer {rotate(tenant)}"}

    second = tenant.generate(new_prompt(), headers=new)

    assert second.headers["X-RateLimit-Remaining-Images"] == "1"
    assert tenant.generate(prompt, headers={**once, **new}).json()["id"] == first.json()["id"]
    other = tenant.generate(new_prompt(), model="dall-e-2", headers=new)
    expect_error(other, 403, "model_not_allowed", "model")
    expect_error(tenant.request("GET", "/v1/balance", headers=new), 403, "insufficient_scope")
    # Two of the three images of the month are spent, by one secret each.
    hd = tenant.generate(new_prompt(), quality="hd", headers=new)
    expect_error(hd, 402, "budget_exceeded")
    assert {row.api_key_id for row in tenant.generations()} == {tenant.api_key_id}


def test_old_secret_ends_with_the_overlap_everywhere(tenant):
    sessions = [requests.Session() for _ in range(12)]
    old = {"Authorization": f"Bearer {tenant.key}"}

    def codes():
        """Ask over connections that are spread over both web processes and kept open."""
        url = f"{tenant.stack.url}/v1/balance"
        return {one.get(url, headers=old).status_code for one in sessions}

    assert codes() == {200}
    new = rotate(tenant, timedelta(0))
    rotated_s = asked_s = time.monotonic()

    assert ask(tenant, new).status_code == 200
    while codes() != {401}:
        assert asked_s - rotated_s < EFFECTIVE_S
        asked_s = time.monotonic()
    message = expect_error(ask(tenant, tenant.key), 401, "expired_api_key")
    assert "replaced" in message
    for session in sessions:
        session.close()


def test_second_rotation_ends_the_first_secret(tenant):
    first, second = tenant.key, rotate(tenant)

    third = rotate(tenant)

    expect_error(ask(tenant, first), 401, "invalid_api_key")
    assert [ask(tenant, key).status_code for key in (second, third)] == [200, 200]


def test_test_keys_stay_test_keys(open_tenant):
    tenant = open_tenant(livemode=False)
    new = rotate(tenant)

    answer = tenant.generate(new_prompt(), headers={"Authorization": f"Bearer {new}"})

    assert new.startswith("lz_sk_test_")
    assert (answer.status_code, answer.headers["X-Cost"]) == (200, "0.00")


def test_revocation_ends_both_secrets(tenant):
    old, new = tenant.key, rotate(tenant)

    with tenant.stack.database():
        revoke_api_key(api_key_id=tenant.api_key_id, actor=SYSTEM, now=now())

    for key in (old, new):
        expect_error(ask(tenant, key), 401, "revoked_api_key")


def test_forged_secret_with_the_start_of_the_old_one_is_refused(tenant):
    old, new = tenant.key, rotate(tenant)

    # The old one's start finds the row; the digest must then be the old one's, not the new one's.
    expect_error(ask(tenant, old[:23] + new[23:]), 401, "invalid_api_key")
