"""`/v1/webhooks`: what it takes, what it answers, what it refuses."""

import pytest

from orgs.services.webhooks import MAX_ENDPOINTS
from tests.gateway.api.expect import expect_error

PATH = "/v1/webhooks"
PUBLIC = "https://1.1.1.1/hook"


def create(tenant, **body):
    return tenant.request("POST", PATH, json={"url": PUBLIC, "events": ["balance.low"], **body})


def test_webhook_is_created_listed_changed_and_deleted(tenant):
    made = create(tenant, events=["topup.succeeded", "balance.low", "topup.succeeded"])

    assert made.status_code == 201
    body = made.json()
    secret = body.pop("secret")
    assert secret.startswith("whsec_")
    assert body == {
        "id": body["id"],
        "object": "webhook",
        "url": PUBLIC,
        "events": ["balance.low", "topup.succeeded"],
        "enabled": True,
        "disabled_reason": None,
        "created": body["created"],
        "previous_secret_expires": None,
    }
    path = f"{PATH}/{body['id']}"
    assert tenant.get(path).json() == body
    assert tenant.get(PATH).json() == {
        "object": "list",
        "data": [body],
        "has_more": False,
        "last_id": body["id"],
    }
    changed = tenant.request("PATCH", path, json={"url": "https://1.0.0.1/", "enabled": False})
    assert changed.json() == {
        **body,
        "url": "https://1.0.0.1/",
        "enabled": False,
        "disabled_reason": "request",
    }
    assert tenant.request("PATCH", path, json={}).json() == changed.json()
    gone = tenant.request("DELETE", path)
    assert gone.json() == {"id": body["id"], "object": "webhook.deleted", "deleted": True}
    for method in ("GET", "DELETE", "PATCH"):
        expect_error(tenant.request(method, path, json={}), 404, "not_found")
    assert tenant.get(PATH).json()["data"] == []


def test_rotated_secret_is_another_and_shown_once(tenant):
    made = create(tenant).json()
    path = f"{PATH}/{made['id']}"

    rotated = tenant.request("POST", f"{path}/rotate_secret").json()

    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_expires"] > made["created"]
    assert "secret" not in tenant.get(path).json()


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"url": None}, "missing_required_parameter", "url"),
        ({"events": None}, "missing_required_parameter", "events"),
        ({"url": 5}, "invalid_value", "url"),
        ({"url": "not a url"}, "invalid_value", "url"),
        ({"url": "http://1.1.1.1/"}, "invalid_value", "url"),
        ({"url": "https://127.0.0.1/"}, "invalid_value", "url"),
        ({"url": "https://169.254.169.254/latest"}, "invalid_value", "url"),
        ({"url": "https://0x7f.1/"}, "invalid_value", "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "invalid_value", "url"),
        ({"url": "https://1.1.1.1/\ud83d\ude00" + "x" * 2048}, "invalid_value", "url"),
        ({"events": []}, "invalid_value", "events"),
        ({"events": "balance.low"}, "invalid_value", "events"),
        ({"events": ["balance.low", 5]}, "invalid_value", "events"),
        ({"events": ["generation.began"]}, "invalid_value", "events"),
        ({"events": ["webhook.test"]}, "invalid_value", "events"),
    ],
)
def test_wrong_body_is_refused_and_nothing_is_created(body, code, param, tenant):
    expect_error(create(tenant, **body), 400, code, param)

    assert tenant.get(PATH).json()["data"] == []


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'"x"'])
def test_body_that_is_no_object_is_refused(data, tenant):
    made = create(tenant).json()

    expect_error(tenant.request("POST", PATH, data=data), 400, "invalid_json")
    expect_error(tenant.request("PATCH", f"{PATH}/{made['id']}", data=data), 400, "invalid_json")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"events": ["nothing"]}, "events"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
def test_wrong_change_is_refused_and_nothing_is_changed(body, param, tenant):
    made = create(tenant).json()
    path = f"{PATH}/{made['id']}"
    before = tenant.get(path).json()

    good = {"url": "https://1.0.0.1/", "events": ["topup.succeeded"], "enabled": False}
    answer = tenant.request("PATCH", path, json={**good, **body})

    expect_error(answer, 400, "invalid_value", param)
    assert tenant.get(path).json() == before


@pytest.mark.parametrize("name", ["x", "wh_" + "0" * 32, "whd_" + "0" * 32, "wh_" + "g" * 32])
def test_unknown_webhook_is_404(name, tenant):
    for method, tail in (("GET", ""), ("POST", "/test"), ("GET", "/deliveries")):
        expect_error(tenant.request(method, f"{PATH}/{name}{tail}"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("after=x", "after"),
        ("after=whd_" + "0" * 32, "after"),
    ],
)
def test_wrong_page_is_refused(query, param, tenant):
    made = create(tenant).json()

    answer = tenant.get(f"{PATH}/{made['id']}/deliveries?{query}")

    expect_error(answer, 400, "invalid_value", param)


def test_deliveries_are_paged_newest_first(tenant):
    path = f"{PATH}/{create(tenant).json()['id']}"
    sent = [tenant.request("POST", f"{path}/test").json()["id"] for _ in range(3)]

    first = tenant.get(f"{path}/deliveries?limit=2").json()
    rest = tenant.get(f"{path}/deliveries?limit=2&after={first['last_id']}").json()

    assert [one["id"] for one in first["data"]] == sent[:0:-1]
    assert [one["id"] for one in rest["data"]] == sent[:1]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    tenant.request("DELETE", path)


def test_webhook_that_is_off_is_neither_tested_nor_redelivered_to(tenant):
    path = f"{PATH}/{create(tenant).json()['id']}"
    delivery = tenant.request("POST", f"{path}/test").json()["id"]
    tenant.request("PATCH", path, json={"enabled": False})

    for tail in ("/test", f"/deliveries/{delivery}/redeliver"):
        expect_error(tenant.request("POST", path + tail), 400, "invalid_value")


def test_number_of_webhooks_is_limited(tenant):
    made = [create(tenant) for _ in range(MAX_ENDPOINTS)]
    assert {one.status_code for one in made} == {201}

    expect_error(create(tenant), 400, "invalid_value")
    tenant.request("DELETE", f"{PATH}/{made[0].json()['id']}")
    assert create(tenant).status_code == 201


def test_scope_is_needed(open_tenant):
    writer = open_tenant(scopes=["images:write", "images:read", "billing:read"])
    manager = open_tenant(scopes=["webhooks:write"])

    expect_error(create(writer), 403, "insufficient_scope")
    expect_error(writer.get(PATH), 403, "insufficient_scope")
    assert create(manager).status_code == 201
    expect_error(manager.get("/v1/balance"), 403, "insufficient_scope")
