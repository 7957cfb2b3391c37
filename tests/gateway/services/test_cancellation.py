"""Canceling against claiming, and the place of a queued generation."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from django.db import connection

from billing.models import Hold
from billing.selectors.balances import get_balance
from core.clock import now
from gateway.errors import GenerationRunningError, NotFoundError
from gateway.models import Generation
from gateway.selectors.queue import standing_of
from gateway.services.onboarding import KeyTerms, open_api_key
from gateway.services.requests.cancellation import withdraw_generation
from gateway.services.runs.claims import claim_next
from orgs.models import Organization
from orgs.services.api_keys import Caller, authenticate_key
from tests.billing.scene import Scene
from tests.gateway.services.rows import add_generation, new_name, new_worker, open_key

ROUNDS = 40
UNIT = 42_000


class Desk:
    """An organization with money, a queue of its own and a worker of it."""

    def __init__(self) -> None:
        self.scene = Scene.create(currency="USD")
        self.scene.top_up(ROUNDS * UNIT)
        organization = Organization.objects.get(id=self.scene.organization_id)
        self.api_key, secret = open_api_key(organization=organization, terms=KeyTerms(name="Desk"))
        self.caller: Caller = authenticate_key(text=secret, now=now())
        self.queue = new_name()
        self.worker_id = new_worker()

    def accept(self, **fields: object) -> UUID:
        generation = add_generation(self.api_key, queue=self.queue, **fields)
        self.scene.authorize(reference=str(generation.id))
        return generation.id

    def claim(self) -> bool:
        work = claim_next(queue=self.queue, worker_id=self.worker_id, token=uuid4())
        return work is not None

    def cancel(self, generation_id: UUID) -> bool:
        try:
            withdraw_generation(caller=self.caller, generation_id=generation_id, now=now())
        except GenerationRunningError:
            return False
        return True


@pytest.mark.usefixtures("committed")
def test_of_a_claim_and_a_cancellation_at_once_one_wins():
    desk = Desk()
    together = Barrier(2)

    def apart(work):
        together.wait()
        try:
            return work()
        finally:
            connection.close()

    won: Counter[object] = Counter()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            generation_id = desk.accept()
            claimed = pool.submit(apart, desk.claim)
            canceled = pool.submit(apart, lambda one=generation_id: desk.cancel(one))
            outcome = (claimed.result(), canceled.result())
            status = Generation.objects.get(id=generation_id).status
            hold = Hold.objects.get(reference=str(generation_id)).status
            won[outcome, status, hold] += 1

    assert set(won) <= {
        ((True, False), "running", "authorized"),
        ((False, True), "canceled", "released"),
    }
    running = won[(True, False), "running", "authorized"]
    assert get_balance(organization_id=desk.scene.organization_id).held_micros == running * UNIT


@pytest.mark.usefixtures("committed")
def test_cancellation_waits_for_a_claim_that_is_not_committed_yet():
    desk = Desk()
    generation_id = desk.accept()

    def cancel() -> bool:
        try:
            return desk.cancel(generation_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            assert desk.claim()
            canceled = pool.submit(cancel)
            assert not canceled.done()
            cursor.execute("COMMIT")
        assert canceled.result() is False

    assert Hold.objects.get(reference=str(generation_id)).status == "authorized"


@pytest.mark.django_db
def test_one_that_has_shown_a_partial_image_cannot_be_canceled():
    desk = Desk()
    generation_id = desk.accept(partials=1)

    with pytest.raises(GenerationRunningError):
        withdraw_generation(caller=desk.caller, generation_id=generation_id, now=now())


@pytest.mark.django_db
def test_foreign_one_is_unknown():
    mine, other = Desk(), Desk()
    generation_id = mine.accept()

    with pytest.raises(NotFoundError):
        withdraw_generation(caller=other.caller, generation_id=generation_id, now=now())

    assert Generation.objects.get(id=generation_id).status == "queued"


@pytest.mark.django_db
def test_place_in_the_queue_is_the_order_of_the_claims():
    queue, worker_id = new_name(), new_worker()
    busy, idle = open_key(), open_key()
    started = now()
    added = [
        add_generation(key, queue=queue, created_at=started + timedelta(milliseconds=number))
        for number, key in enumerate([busy, busy, busy, idle, busy, idle])
    ]
    claim_next(queue=queue, worker_id=worker_id, token=uuid4())

    places = {
        one.id: place for one in added if (place := standing_of(generation_id=one.id).position)
    }
    order = []
    while (work := claim_next(queue=queue, worker_id=worker_id, token=uuid4())) is not None:
        order.append(work.claim.generation_id)

    assert sorted(places.values()) == [1, 2, 3, 4, 5]
    assert sorted(places, key=places.__getitem__) == order
    assert standing_of(generation_id=order[0]).position is None
