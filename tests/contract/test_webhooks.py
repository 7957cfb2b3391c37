"""Webhooks through the whole product, to a receiver that verifies with the public library."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests

from core.clock import now
from orgs.models import WebhookDelivery
from tests.orgs.receiver import Hook, Receiver, serving
from tests.stack import wait_until
from tests.tenants import GENERATIONS, Tenant, new_prompt

PATH = "/v1/webhooks"


@pytest.fixture
def receiver(stack) -> Iterator[Receiver]:
    with serving(stack.receiver) as server:
        yield server


class Inbox:
    """A webhook of a tenant and what has come to it."""

    def __init__(self, tenant: Tenant, receiver: Receiver, *events: str) -> None:
        name = f"/{uuid4().hex}"
        port = receiver.port
        made = tenant.request(
            "POST", PATH, json={"url": f"http://127.0.0.1:{port}{name}", "events": events}
        )
        assert made.status_code == 201, made.text
        self.path = f"{PATH}/{made.json()['id']}"
        self.secret = made.json()["secret"]
        self._tenant, self._receiver, self._name = tenant, receiver, name

    @property
    def hooks(self) -> list[Hook]:
        return [hook for hook in self._receiver.hooks if hook.path == self._name]

    def wait(self, count: int = 1) -> list[Hook]:
        wait_until(lambda: len(self.hooks) >= count, f"{count} webhooks")
        return self.hooks

    def deliveries(self) -> list[dict[str, Any]]:
        return list(self._tenant.get(f"{self.path}/deliveries").json()["data"])


def test_ended_generations_are_told_with_their_resource(tenant, receiver, stack):
    inbox = Inbox(tenant, receiver, "generation.succeeded", "generation.failed")
    good, bad = new_prompt(), new_prompt()
    refusal = {"error": {"message": "No.", "code": "content_policy_violation", "param": None}}
    stack.upstream.rule(bad, status=400, body=refusal)

    answer = tenant.generate(good)
    [first] = inbox.wait()
    tenant.generate(bad)
    second = inbox.wait(2)[1]

    message = first.verify(inbox.secret)
    assert message["type"] == "generation.succeeded"
    path = f"/v1/images/generations/{answer.headers['X-Generation-Id']}"
    assert message["data"] == tenant.get(path).json()
    assert requests.get(message["data"]["data"][0]["url"], timeout=10).status_code == 200
    assert message["data"]["cost"]["amount"] == "0.042"
    failed = second.verify(inbox.secret)
    assert failed["type"] == "generation.failed"
    assert failed["data"]["error"]["code"]
    assert failed["data"]["prompt"] == bad
    assert tenant.ledger_findings() == []


def test_generation_of_a_test_key_is_told_as_such(tenant, receiver):
    inbox = Inbox(tenant, receiver, "generation.succeeded")

    tenant.another_key(livemode=False).generate(new_prompt())

    assert inbox.wait()[0].verify(inbox.secret)["data"]["livemode"] is False


def test_topups_and_revoked_keys_are_told_once(tenant, receiver):
    inbox = Inbox(tenant, receiver, "topup.succeeded", "api_key.revoked")
    other = tenant.another_key()

    tenant.top_up("2.50")
    [topup] = inbox.wait()
    other.revoke_key()
    other.revoke_key()
    revoked = inbox.wait(2)[1].verify(inbox.secret)

    message = topup.verify(inbox.secret)
    assert message["type"] == "topup.succeeded"
    assert (message["data"]["amount"], message["data"]["currency"]) == ("2.50", "USD")
    assert revoked["type"] == "api_key.revoked"
    assert revoked["data"]["id"] == str(other.api_key_id)
    assert len(inbox.deliveries()) == 2


def test_test_and_redelivery_are_logged_under_one_id(tenant, receiver):
    inbox = Inbox(tenant, receiver, "balance.low")

    sent = tenant.request("POST", f"{inbox.path}/test")
    assert sent.status_code == 202
    inbox.wait()
    wait_until(lambda: inbox.deliveries()[0]["status"] == "delivered", "the delivery is recorded")
    again = tenant.request("POST", f"{inbox.path}/deliveries/{sent.json()['id']}/redeliver")
    assert again.status_code == 202
    inbox.wait(2)
    wait_until(lambda: len(inbox.deliveries()[0]["tries"]) == 2, "the second try is recorded")

    [delivery] = inbox.deliveries()
    assert {hook.id for hook in inbox.hooks} == {delivery["webhook_id"]}
    assert (delivery["event"], delivery["status"]) == ("webhook.test", "delivered")
    assert [made["status"] for made in delivery["tries"]] == [204, 204]
    assert delivery["id"] == sent.json()["id"]


def test_failed_delivery_is_tried_again_although_the_dispatcher_was_killed(tenant, receiver, stack):
    receiver.answers = [500]
    inbox = Inbox(tenant, receiver, "balance.low")
    tenant.request("POST", f"{inbox.path}/test")
    inbox.wait()
    wait_until(lambda: inbox.deliveries()[0]["tries"], "the failure is recorded")

    stack.restart("dispatcher")
    with stack.database():
        WebhookDelivery.objects.filter(event__organization_id=tenant.organization_id).update(
            next_at=now()
        )

    first, second = inbox.wait(2)
    assert first.id == second.id
    assert first.body == second.body
    second.verify(inbox.secret)


def test_canceled_generation_is_told(tenant, receiver, stack):
    inbox = Inbox(tenant, receiver, "generation.canceled")
    stack.kill("worker")
    try:
        queued = tenant.generate(new_prompt(), headers={"Prefer": "respond-async"})
        path = f"{GENERATIONS}/{queued.json()['id']}"
        assert tenant.request("DELETE", path).status_code == 200
    finally:
        stack.start_again("worker")

    message = inbox.wait()[0].verify(inbox.secret)
    assert message["type"] == "generation.canceled"
    assert message["data"]["status"] == "canceled"
    assert message["data"]["id"] == queued.json()["id"]
