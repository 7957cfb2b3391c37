"""The pages of webhooks."""

import re
from typing import Any
from uuid import uuid4

import pytest

from core.clock import now
from orgs.console.administration.webhooks import WebhooksView
from orgs.models import WebhookDelivery, WebhookEndpoint
from orgs.services.audit import SYSTEM
from orgs.services.webhooks import create_endpoint, send_test
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]


@pytest.fixture(autouse=True)
def _receiver(settings) -> None:
    settings.WEBHOOK_ALLOWED_TARGETS = [("127.0.0.1", 9999)]


URL = "http://127.0.0.1:9999/lienzo"
TERMS: dict[str, Any] = {"url": URL, "events": ["generation.failed"]}


def hooks_of(team: Team, path: str = "") -> str:
    return f"/o/{team.organization.id}/webhooks{path}"


def hook_of(team: Team) -> WebhookEndpoint:
    return create_endpoint(organization_id=team.organization.id, actor=SYSTEM, **TERMS)[0]


def secret_in(page: str) -> str:
    found = re.search(r'value="(whsec_[^"]+)"', page)
    assert found, page
    return found[1]


def test_webhook_is_created_changed_rotated_switched_and_deleted():
    team = Team.open()
    client = signed_in(team.person("developer").user)
    assert "No webhooks yet" in visit(client, hooks_of(team))
    visit(client, hooks_of(team, "/new"))
    for field, value in (("url", "http://10.0.0.1/"), ("events", [])):
        page = client.post(hooks_of(team, "/new"), {**TERMS, field: value}).content.decode()
        assert f'id="id_{field}_error"' in page

    answer = client.post(hooks_of(team, "/new"), TERMS)

    secret = secret_in(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    hook = WebhookEndpoint.objects.get(organization=team.organization)
    own = hooks_of(team, f"/{hook.id}")
    assert secret not in visit(client, own)
    visit(client, f"{own}/edit")
    client.post(f"{own}/edit", {**TERMS, "events": ["topup.succeeded"]})
    assert "topup.succeeded" in visit(client, hooks_of(team))
    assert secret_in(client.post(f"{own}/rotate").content.decode()) != secret
    client.post(f"{own}/switch", {"on": "0"})
    hook.refresh_from_db()
    assert not hook.is_enabled
    refused = client.post(f"{own}/test", follow=True).content.decode()
    assert "toast-note is-error" in refused
    client.post(f"{own}/switch", {"on": "1"})
    client.post(f"{own}/delete")
    assert client.get(own).status_code == 404
    assert [one for one in team.log() if one.startswith("webhook.")] == [
        "webhook.created",
        "webhook.changed",
        "webhook.secret_rotated",
        "webhook.changed",
        "webhook.changed",
        "webhook.deleted",
    ]


def test_deliveries_are_paged_shown_with_their_tries_and_sent_again():
    team = Team.open()
    client = signed_in(team.person("admin").user)
    hook = hook_of(team)
    own = hooks_of(team, f"/{hook.id}")
    assert "Nothing was sent yet" in visit(client, own)
    for _ in range(52):
        send_test(organization_id=team.organization.id, endpoint_id=hook.id, now=now())
    tries = [{"at": now().isoformat(), "status": 503, "error": None, "duration_ms": 12}]
    oldest = WebhookDelivery.objects.filter(endpoint=hook).order_by("created_at")[0]
    WebhookDelivery.objects.filter(id=oldest.id).update(status="failed", next_at=None, tries=tries)

    assert "1 failed" in visit(client, hooks_of(team))
    first = visit(client, own)
    cursor = re.search(r'\?cursor=([0-9a-f-]+)" *>', first) or re.search(
        r"\?cursor=([0-9a-f-]+)", first
    )
    assert cursor
    second = visit(client, f"{own}?cursor={cursor[1]}")
    assert f"/deliveries/{oldest.id}?cursor={cursor[1]}" in second
    drawer = visit(client, f"{own}/deliveries/{oldest.id}?cursor={cursor[1]}")
    assert "HTTP 503" in drawer
    assert f"evt_{oldest.event_id.hex}" in drawer
    client.post(f"{own}/deliveries/{oldest.id}/redeliver")
    oldest.refresh_from_db()
    assert oldest.status == "pending"
    for path in ("?cursor=x", f"?cursor={uuid4()}", f"/deliveries/{uuid4()}"):
        assert client.get(f"{own}{path}").status_code == 404


def test_webhooks_are_for_those_who_manage_them_in_this_organization():
    team, other = Team.open(), Team.open()
    foreign = hook_of(other)
    check_doors(team, hooks_of(team), WebhooksView.permission)
    client, viewer = signed_in(team.person("owner").user), signed_in(team.person("viewer").user)
    for action in ("test", "switch", "rotate", "delete"):
        assert client.post(hooks_of(team, f"/{foreign.id}/{action}")).status_code == 404
        assert viewer.post(hooks_of(team, f"/{foreign.id}/{action}")).status_code == 403
    assert WebhookEndpoint.objects.get(id=foreign.id).deleted_at is None
