"""Who may call, with which method, on which path."""

import json
import time
from datetime import timedelta

import pytest
import requests
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import resolve

from core.clock import now
from gateway.api.access import AccessLogMiddleware
from orgs.models import Organization
from orgs.secrets import new_secret
from tests.gateway.api.expect import expect_error, expect_nothing_written
from tests.tenants import GENERATIONS, MODEL

BODY = {"model": MODEL, "prompt": "a cat"}
GETS = ["/v1/models", "/v1/balance"]


def post(stack, authorization=None):
    headers = {} if authorization is None else {"Authorization": authorization}
    return requests.post(f"{stack.url}{GENERATIONS}", json=BODY, headers=headers, timeout=10)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer   ", "Basic YTpi", "lz_sk"])
def test_request_without_a_key_is_refused(authorization, stack):
    expect_error(post(stack, authorization), 401, "missing_api_key")


@pytest.mark.parametrize(
    "key",
    [
        "sk-of-somebody-else",
        "lz_sk_live_",
        "lz_sk_live_short",
        "é".encode().decode("latin-1"),
        "lz_sk_live_" + "a" * 5_000,
        "lz_sk_live_' OR 1=1",
    ],
)
def test_malformed_key_is_refused(key, stack):
    expect_error(post(stack, b"Bearer " + key.encode("latin-1")), 401, "invalid_api_key")


@pytest.mark.parametrize("livemode", [True, False])
def test_wellformed_unknown_key_is_refused(livemode, stack):
    key = new_secret(livemode=livemode).text

    expect_error(post(stack, f"Bearer {key}"), 401, "invalid_api_key")


def test_key_with_one_other_letter_is_refused(stack, tenant):
    last = "A" if tenant.key[-1] != "A" else "B"

    expect_error(post(stack, f"Bearer {tenant.key[:-1]}{last}"), 401, "invalid_api_key")
    expect_nothing_written(tenant)


def test_live_key_renamed_to_test_is_refused(stack, tenant):
    key = tenant.key.replace("_live_", "_test_")

    expect_error(post(stack, f"Bearer {key}"), 401, "invalid_api_key")


def test_scheme_is_read_whatever_its_case(stack, tenant):
    answer = requests.get(
        f"{stack.url}/v1/balance", headers={"Authorization": f"bEaReR {tenant.key}"}, timeout=10
    )

    assert answer.status_code == 200


def test_revoked_key_is_refused_everywhere_within_two_seconds(stack, tenant):
    sessions = [requests.Session() for _ in range(12)]

    def codes():
        """Ask over connections that are spread over both web processes and kept open."""
        headers = {"Authorization": f"Bearer {tenant.key}"}
        answers = [one.get(f"{stack.url}/v1/balance", headers=headers) for one in sessions]
        return {answer.status_code for answer in answers}

    assert codes() == {200}
    tenant.revoke_key()
    revoked_s = asked_s = time.monotonic()

    while codes() != {401}:
        assert asked_s - revoked_s < 2.0
        asked_s = time.monotonic()
    expect_error(tenant.generate("a cat"), 401, "revoked_api_key")
    expect_nothing_written(tenant)
    for session in sessions:
        session.close()


def test_expired_key_is_refused(open_tenant):
    tenant = open_tenant(expires_at=now() - timedelta(seconds=1))

    expect_error(tenant.generate("a cat"), 401, "expired_api_key")
    expect_nothing_written(tenant)


def test_key_that_expires_later_works(open_tenant):
    tenant = open_tenant(expires_at=now() + timedelta(minutes=5))

    assert tenant.get("/v1/balance").status_code == 200


def test_scopes_limit_a_key(open_tenant):
    writer = open_tenant(scopes=["images:write"])
    reader = writer.another_key(scopes=["images:read"])

    expect_error(writer.get("/v1/balance"), 403, "insufficient_scope")
    expect_error(writer.get("/v1/models"), 403, "insufficient_scope")
    expect_error(reader.generate("a cat"), 403, "insufficient_scope")
    expect_nothing_written(writer)
    assert reader.get("/v1/models").status_code == 200


def test_networks_limit_a_key(open_tenant):
    stranger = open_tenant(cidrs=["10.0.0.0/8"])
    neighbor = stranger.another_key(cidrs=["127.0.0.0/8"])

    expect_error(stranger.get("/v1/models"), 403, "ip_not_allowed")
    # Nobody trusts this header from an address that is no proxy of ours.
    forged = stranger.request("GET", "/v1/models", headers={"X-Forwarded-For": "10.1.1.1"})
    expect_error(forged, 403, "ip_not_allowed")
    assert neighbor.get("/v1/models").status_code == 200


def test_suspended_organization_may_look_but_not_generate(stack, tenant):
    with stack.database():
        Organization.objects.filter(id=tenant.organization_id).update(suspended_at=now())

    expect_error(tenant.generate("a cat"), 403, "organization_suspended")
    expect_nothing_written(tenant)
    assert tenant.get("/v1/balance").status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_on_generations_are_refused(method, tenant):
    answer = tenant.request(method, GENERATIONS, json=BODY)

    expect_error(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    expect_nothing_written(tenant)


@pytest.mark.parametrize("path", [*GETS, "/v1/models/dall-e-3", f"{GENERATIONS}/req_{'0' * 32}"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "OPTIONS"])
def test_other_methods_on_readable_paths_are_refused(path, method, tenant):
    expect_error(tenant.request(method, path), 405, "method_not_allowed")


@pytest.mark.parametrize("path", GETS)
def test_head_has_the_headers_of_get_without_the_body(path, tenant):
    head, get = tenant.request("HEAD", path), tenant.get(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.content))


def test_head_of_errors_has_no_body(tenant):
    assert tenant.request("HEAD", "/v1/images/quotes").status_code == 405
    missing = tenant.request("HEAD", "/v1/nothing")
    assert (missing.status_code, missing.content) == (404, b"")
    assert missing.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v1/images",
        "/v1/images/generations/",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1/engines/dall-e-3/generate",
        "/v2/images/generations",
        "/%00",
        "/%ff%fe",
        "/v1/%2e%2e/admin",
        "/admin/",
        "/" + "a" * 5_000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_path_is_not_found(path, method, tenant):
    expect_error(tenant.request(method, path), 404, "not_found")


def test_unknown_path_says_what_there_is(tenant):
    message = expect_error(tenant.request("POST", "/v1/chat/completions"), 404, "not_found")

    assert "images" in message


@pytest.mark.parametrize("name", ["%00", "%ff", "nothing", "a" * 5_000, "req_", "../models"])
def test_unknown_ids_are_not_found(name, tenant):
    expect_error(tenant.get(f"/v1/images/generations/{name}"), 404, "not_found")


@pytest.mark.parametrize("name", ["%00", "%ff", "nothing", "a" * 5_000, "openai/", "/dall-e-3"])
def test_unknown_models_are_not_found(name, tenant):
    expect_error(tenant.get(f"/v1/models/{name}"), 404, "model_not_found", "model")


def test_call_from_a_gateway_of_our_own_is_a_loop(tenant):
    answer = tenant.generate("a cat", headers={"X-Lienzo-Hop": "1"})

    expect_error(answer, 508, "loop_detected")
    expect_nothing_written(tenant)


def test_health_needs_no_key(stack):
    for path in ("/healthz", "/readyz"):
        answer = requests.get(f"{stack.url}{path}", timeout=10)
        assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("path", "status", "lines"),
    [("/readyz", 200, 0), ("/healthz", 200, 0), ("/readyz", 503, 1), ("/v1/models", 200, 1)],
)
def test_probe_that_finds_all_well_leaves_no_line(path, status, lines, caplog):
    request = RequestFactory().get(path)
    request.resolver_match = resolve(path)
    caplog.set_level("INFO", logger="gateway.api.access")

    AccessLogMiddleware(lambda _: HttpResponse(status=status))(request).close()

    assert len(caplog.records) == lines
