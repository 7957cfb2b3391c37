"""What reaches a receiver, what is tried again, and until when."""

import time
from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from django.db import OperationalError
from standardwebhooks import WebhookVerificationError

from core.clock import now
from orgs.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from orgs.services import dispatcher
from orgs.services.audit import SYSTEM
from orgs.services.dispatcher import LEASE, claim_due, deliver, pause_after
from orgs.services.signing import new_secret
from orgs.services.webhooks import (
    Changes,
    change_endpoint,
    delete_endpoint,
    message_id,
    prune_deliveries,
    redeliver,
    rotate_secret,
    send_test,
)
from tests.orgs.receiver import endless_body, hang, redirect


def own(hooked) -> dict[str, UUID]:
    return {"organization_id": hooked.organization_id, "endpoint_id": hooked.endpoint.id}


def test_message_is_signed_named_and_dated(hooked, receiver):
    hooked.write(amount="5.00")
    event = OutboxEvent.objects.get(organization_id=hooked.organization_id)

    assert hooked.send() == 1

    [hook] = receiver.hooks
    assert hook.verify(hooked.secret) == {
        "type": "topup.succeeded",
        "timestamp": event.created_at.isoformat(),
        "data": {"amount": "5.00"},
    }
    assert hook.id == message_id(event.id)
    assert hook.headers["content-type"] == "application/json"
    assert hook.headers["user-agent"].startswith("Lienzo/")
    assert hooked.delivery.status == "delivered"
    [made] = hooked.delivery.tries
    assert (made["status"], made["error"]) == (204, None)
    assert hooked.send(at=now() + timedelta(days=2)) == 0


def test_other_secret_and_changed_or_old_message_do_not_verify(hooked, receiver):
    hooked.write()
    hooked.send()
    [hook] = receiver.hooks

    with pytest.raises(WebhookVerificationError):
        hook.verify(new_secret())
    hook.body = hook.body.replace(b"1", b"2")
    with pytest.raises(WebhookVerificationError):
        hook.verify(hooked.secret)
    hook.body = hook.body.replace(b"2", b"1")
    hook.headers["webhook-timestamp"] = str(int(time.time()) - 400)
    with pytest.raises(WebhookVerificationError):
        hook.verify(hooked.secret)


def test_both_secrets_sign_until_the_overlap_ends(hooked, receiver):
    _, second = rotate_secret(**own(hooked), actor=SYSTEM, now=now())
    hooked.write()
    hooked.send()
    receiver.hooks[0].verify(hooked.secret)
    receiver.hooks[0].verify(second)

    _, third = rotate_secret(**own(hooked), actor=SYSTEM, now=now())
    hooked.write()
    hooked.send()
    receiver.hooks[1].verify(second)
    receiver.hooks[1].verify(third)
    with pytest.raises(WebhookVerificationError):
        receiver.hooks[1].verify(hooked.secret)

    WebhookEndpoint.objects.filter(id=hooked.endpoint.id).update(previous_secret_until=now())
    hooked.write()
    hooked.send()
    receiver.hooks[2].verify(third)
    with pytest.raises(WebhookVerificationError):
        receiver.hooks[2].verify(second)


def test_secret_is_not_in_the_database(hooked):
    row = WebhookEndpoint.objects.get(id=hooked.endpoint.id)

    assert hooked.secret.encode() not in bytes(row.secret)
    assert hooked.secret.removeprefix("whsec_").encode() not in bytes(row.secret)


def test_secret_of_a_lost_key_stops_deliveries_until_it_is_rotated(hooked, receiver):
    WebhookEndpoint.objects.filter(id=hooked.endpoint.id).update(secret=b"of another key")
    hooked.write()

    assert hooked.send() == 0
    assert hooked.delivery.tries[0]["error"] == "secret_unreadable"
    assert receiver.hooks == []

    _, secret = rotate_secret(**own(hooked), actor=SYSTEM, now=now())
    assert hooked.send(at=now() + timedelta(minutes=1)) == 1
    receiver.hooks[0].verify(secret)


def test_failures_are_tried_again_under_the_same_id(hooked, receiver):
    receiver.answers = [500, redirect("/elsewhere"), 404, 204]
    hooked.write()
    at = now()
    for _ in range(3):
        assert hooked.send(at=at) == 0
        assert hooked.delivery.status == "pending"
        at = hooked.delivery.next_at
    assert hooked.send(at=at) == 1

    assert len({hook.id for hook in receiver.hooks}) == 1
    assert [hook.path for hook in receiver.hooks] == ["/hook"] * 4
    assert [made["status"] for made in hooked.delivery.tries] == [500, 302, 404, 204]


def test_first_retry_comes_within_150_seconds_and_none_before_its_time(hooked, receiver):
    receiver.answers = [503]
    hooked.write()
    hooked.send()

    next_at = hooked.delivery.next_at
    assert now() < next_at < now() + timedelta(seconds=150)
    assert hooked.send(at=next_at - timedelta(seconds=1)) == 0
    assert len(receiver.hooks) == 1
    assert hooked.send(at=next_at) == 1


def test_pauses_grow_and_are_spread():
    means = dispatcher.PAUSES_S
    for failures, mean in enumerate(means, start=1):
        pauses = {pause_after(failures).total_seconds() for _ in range(20)}
        assert len(pauses) > 1
        assert all(0.8 * mean <= pause <= 1.2 * mean for pause in pauses)
    assert list(means) == sorted(means)
    assert sum(means) > 12 * 3600


def test_delivery_is_given_up_after_a_day_with_a_last_try_at_its_end(hooked, receiver):
    receiver.answers = [500] * 3
    hooked.write()
    created = hooked.delivery.created_at
    assert hooked.delivery.give_up_at == created + timedelta(hours=24)
    WebhookDelivery.objects.filter(endpoint=hooked.endpoint).update(
        give_up_at=now() + timedelta(seconds=3)
    )

    hooked.send()
    assert hooked.delivery.status == "pending"
    assert hooked.delivery.next_at == hooked.delivery.give_up_at
    WebhookDelivery.objects.filter(endpoint=hooked.endpoint).update(give_up_at=now())
    hooked.send(at=hooked.delivery.next_at)

    assert hooked.delivery.status == "failed"
    assert hooked.send(at=now() + timedelta(days=2)) == 0


def test_redelivery_of_what_was_delivered_or_given_up_keeps_the_id(hooked, receiver):
    hooked.write()
    hooked.send()
    for status in ("delivered", "failed"):
        WebhookDelivery.objects.filter(endpoint=hooked.endpoint).update(status=status)
        redeliver(**own(hooked), delivery_id=hooked.delivery.id, now=now())
        assert hooked.send() == 1

    assert len(receiver.hooks) == 3
    assert len({hook.id for hook in receiver.hooks}) == 1
    assert len(hooked.delivery.tries) == 3
    assert hooked.delivery.give_up_at > now() + timedelta(hours=23)


def test_gone_switches_the_endpoint_off_and_gives_up_what_waits(hooked, receiver):
    receiver.answers = [500, 410]
    hooked.write()
    hooked.send()
    hooked.write()
    hooked.send()

    endpoint = WebhookEndpoint.objects.get(id=hooked.endpoint.id)
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, "gone")
    rows = WebhookDelivery.objects.filter(endpoint=endpoint)
    assert set(rows.values_list("status", flat=True)) == {"failed"}
    assert hooked.write() is False

    change_endpoint(**own(hooked), changes=Changes(is_enabled=True), actor=SYSTEM)
    assert hooked.write() is True
    assert hooked.send() == 1


def test_switched_off_endpoint_gets_what_waited_when_it_is_on_again(hooked, receiver):
    hooked.write()
    change_endpoint(**own(hooked), changes=Changes(is_enabled=False), actor=SYSTEM)
    assert hooked.send() == 0
    assert receiver.hooks == []

    change_endpoint(**own(hooked), changes=Changes(is_enabled=True), actor=SYSTEM)
    assert hooked.send() == 1


def test_deleted_endpoint_gets_nothing_that_waits(hooked, receiver):
    hooked.write()
    claimed = claim_due(limit=10, now=now())
    hooked.write()
    delete_endpoint(**own(hooked), actor=SYSTEM, now=now())

    assert hooked.send() == 0
    assert hooked.send(at=now() + LEASE) == 0
    assert len(claimed) == 1
    assert receiver.hooks == []
    assert bytes(WebhookEndpoint.objects.get(id=hooked.endpoint.id).secret) == b""


def test_redirect_is_a_failure_and_is_not_followed(hooked, receiver):
    receiver.answers = [redirect(f"http://127.0.0.1:{receiver.port}/inside")]
    hooked.write()

    assert hooked.send() == 0
    assert [hook.path for hook in receiver.hooks] == ["/hook"]
    assert hooked.delivery.tries[0]["status"] == 302


def test_slow_receiver_is_given_the_timeout_and_no_more(hooked, receiver, monkeypatch):
    monkeypatch.setattr(dispatcher, "TIMEOUT_S", 0.3)
    receiver.answers = [hang]
    hooked.write()
    started_s = time.monotonic()

    assert hooked.send() == 0
    assert time.monotonic() - started_s < 20
    assert hooked.delivery.tries[0]["error"] == "timeout"
    assert hooked.send(at=hooked.delivery.next_at) == 1


def test_long_body_of_an_answer_is_not_read(hooked, receiver, monkeypatch):
    monkeypatch.setattr(dispatcher, "TIMEOUT_S", 50.0)
    receiver.answers = [endless_body]
    hooked.write()
    started_s = time.monotonic()

    assert hooked.send() == 1
    assert time.monotonic() - started_s < 30


def test_unreachable_receiver_is_tried_again(hooked, receiver):
    WebhookEndpoint.objects.filter(id=hooked.endpoint.id).update(url="http://127.0.0.1:1/hook")
    hooked.write()

    assert hooked.send() == 0
    # The address is not exempt, and so not even connected to.
    assert hooked.delivery.tries[0]["error"] == "forbidden_target"
    assert hooked.delivery.status == "pending"


def test_resource_that_is_gone_ends_the_delivery(hooked, receiver):
    hooked.write()
    [claimed] = claim_due(limit=10, now=now())

    assert deliver(claimed, http=hooked.http, data_of=lambda _: None) is False
    assert receiver.hooks == []
    assert (hooked.delivery.status, hooked.delivery.tries[0]["error"]) == (
        "failed",
        "resource_gone",
    )


def test_event_reaches_each_endpoint_of_its_organization_that_wants_it(open_hooked, receiver):
    one, other = open_hooked("/one"), open_hooked("/other")
    second = open_hooked("/second", organization_id=one.organization_id)
    unwanted = open_hooked("/unwanted", organization_id=one.organization_id, events=["balance.low"])
    one.write()

    assert one.send() == 2
    assert {hook.path for hook in receiver.hooks} == {"/hook/one", "/hook/second"}
    assert len({hook.id for hook in receiver.hooks}) == 1
    by_path = {hook.path: hook for hook in receiver.hooks}
    by_path["/hook/second"].verify(second.secret)
    with pytest.raises(WebhookVerificationError):
        by_path["/hook/second"].verify(one.secret)
    assert other.endpoint.deliveries.count() == unwanted.endpoint.deliveries.count() == 0


def test_test_event_goes_to_its_endpoint_alone(open_hooked, receiver):
    hooked = open_hooked(events=["balance.low"])
    open_hooked("/second", organization_id=hooked.organization_id)

    send_test(**own(hooked), now=now())

    assert hooked.send() == 1
    [hook] = receiver.hooks
    assert hook.path == "/hook"
    assert hook.verify(hooked.secret)["type"] == "webhook.test"


def test_old_deliveries_and_deleted_endpoints_are_pruned(hooked):
    hooked.write()
    hooked.write()
    old, _ = OutboxEvent.objects.filter(organization_id=hooked.organization_id)
    OutboxEvent.objects.filter(id=old.id).update(created_at=now() - timedelta(days=31))
    prune_deliveries(now=now())
    assert hooked.endpoint.deliveries.count() == 1

    delete_endpoint(**own(hooked), actor=SYSTEM, now=now() - timedelta(days=31))
    prune_deliveries(now=now())
    assert not WebhookEndpoint.objects.filter(id=hooked.endpoint.id).exists()


def test_only_the_newest_tries_are_kept(hooked, receiver):
    hooked.write()
    WebhookDelivery.objects.filter(endpoint=hooked.endpoint).update(
        tries=[{"at": str(number)} for number in range(dispatcher.TRIES_KEPT)]
    )
    hooked.send()

    tries = hooked.delivery.tries
    assert len(tries) == dispatcher.TRIES_KEPT
    assert (tries[0]["at"], tries[-1]["status"]) == ("1", 204)


def test_body_is_compact_json_of_the_data_as_it_is(hooked, receiver):
    hooked.write(text="café 🎨")
    hooked.send()

    assert orjson.loads(receiver.hooks[0].body)["data"] == {"text": "café 🎨"}
    assert receiver.hooks[0].verify(hooked.secret)["data"] == {"text": "café 🎨"}


def test_delivery_that_breaks_us_is_recorded_and_tried_again_later(hooked, receiver):
    hooked.write()
    [claimed] = claim_due(limit=10, now=now())

    assert (
        deliver(claimed, http=hooked.http, data_of=lambda message: message.data["missing"]) is False
    )
    assert hooked.delivery.tries[0]["error"] == "internal_error"
    assert hooked.delivery.status == "pending"
    assert hooked.send(at=hooked.delivery.next_at) == 1


def test_database_failure_is_not_counted_as_a_try(hooked):
    hooked.write()
    [claimed] = claim_due(limit=10, now=now())

    def unreachable(_: object) -> object:
        raise OperationalError

    with pytest.raises(OperationalError):
        deliver(claimed, http=hooked.http, data_of=unreachable)
    assert hooked.delivery.tries == []
    assert hooked.send(at=now() + dispatcher.LEASE) == 1
