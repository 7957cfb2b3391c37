"""What is written, claimed and sent once, whoever else writes, claims and sends."""

import threading
from collections import Counter
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction

from core.clock import now
from gateway.services.onboarding import open_organization
from orgs.models import OutboxEvent, WebhookDelivery
from orgs.services import dispatcher
from orgs.services.audit import SYSTEM
from orgs.services.dispatcher import LEASE, PER_ENDPOINT, claim_due, deliver
from orgs.services.outbox import EventType, write_event
from orgs.services.webhooks import (
    create_endpoint,
)
from tests.orgs.conftest import data_of


def own(hooked) -> dict[str, UUID]:
    return {"organization_id": hooked.organization_id, "endpoint_id": hooked.endpoint.id}


def test_two_dispatchers_at_once_deliver_each_once(open_hooked, receiver, monkeypatch):
    monkeypatch.setattr(dispatcher, "PER_ENDPOINT", 3)
    all_hooked = [open_hooked() for _ in range(4)]
    for hooked in all_hooked:
        for number in range(10):
            hooked.write(number=number)
    http = all_hooked[0].http

    def dispatch() -> None:
        idle = 0
        while idle < 3:
            claimed = claim_due(limit=4, now=now())
            idle = 0 if claimed else idle + 1
            for one in claimed:
                deliver(one, http=http, data_of=data_of)
        connection.close()

    threads = [threading.Thread(target=dispatch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert set(Counter(hook.id for hook in receiver.hooks).values()) == {1}
    assert len(receiver.hooks) == 40


def test_claims_of_a_dead_dispatcher_fall_due_again(hooked, receiver):
    hooked.write()
    claimed_at = now()
    [lost] = claim_due(limit=10, now=claimed_at)

    assert claim_due(limit=10, now=claimed_at + LEASE - timedelta(seconds=1)) == []
    assert hooked.send(at=claimed_at + LEASE) == 1
    # The dead one was only frozen: it neither sends after its lease nor undoes what was recorded.
    late = dispatcher.Claimed(
        **{name: getattr(lost, name) for name in lost.__slots__ if name != "leased_until"},
        leased_until=now(),
    )
    assert deliver(late, http=hooked.http, data_of=data_of) is False
    assert len(receiver.hooks) == 1
    assert hooked.delivery.status == "delivered"


def test_answer_that_comes_after_the_lease_changes_nothing(hooked, receiver):
    receiver.answers = [500, 204]
    hooked.write()
    [frozen] = claim_due(limit=10, now=now())
    [other] = claim_due(limit=10, now=now() + LEASE)
    assert deliver(frozen, http=hooked.http, data_of=data_of) is False
    assert hooked.delivery.tries == []

    assert deliver(other, http=hooked.http, data_of=data_of) is True
    assert hooked.delivery.status == "delivered"


def test_busy_endpoint_leaves_room_for_the_others(open_hooked):
    busy, quiet = open_hooked(), open_hooked()
    for number in range(PER_ENDPOINT + 5):
        busy.write(number=number)
    quiet.write()

    first = Counter(one.endpoint_id for one in claim_due(limit=100, now=now()))
    assert first == {busy.endpoint.id: PER_ENDPOINT, quiet.endpoint.id: 1}
    assert claim_due(limit=100, now=now()) == []


def test_nothing_is_written_where_nobody_listens(db, django_assert_num_queries):
    organization = open_organization(name="Deaf", currency="USD")
    create_endpoint(
        organization_id=organization.id,
        url="https://1.1.1.1/",
        events=["balance.low"],
        actor=SYSTEM,
    )

    def write(kind: EventType) -> bool:
        return write_event(organization_id=organization.id, kind=kind, data={}, now=now())

    with django_assert_num_queries(1):
        assert write(EventType.TOPUP_SUCCEEDED) is False
    assert not OutboxEvent.objects.exists()
    assert write(EventType.BALANCE_LOW) is True


def test_event_is_undone_with_its_transaction(hooked):
    with transaction.atomic():
        assert hooked.write() is True
        transaction.set_rollback(True)

    assert not OutboxEvent.objects.filter(organization_id=hooked.organization_id).exists()


def test_many_events_of_a_burst_are_all_claimed_once(hooked):
    for number in range(25):
        write_event(
            organization_id=hooked.organization_id,
            kind=EventType.TOPUP_SUCCEEDED,
            data={"number": number},
            now=now(),
        )
    seen: Counter[UUID] = Counter()
    at = now()
    for _ in range(3):
        claimed = claim_due(limit=100, now=at)
        seen.update(one.id for one in claimed)
        WebhookDelivery.objects.filter(id__in=[one.id for one in claimed]).update(
            status="delivered", next_at=None, claim_token=None
        )
    assert set(seen.values()) == {1}
    assert len(seen) == 25
