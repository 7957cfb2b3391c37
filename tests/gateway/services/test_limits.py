"""A provider gets at most so many calls at once, over all workers, in fair order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection

from core.clock import now
from core.redis import redis_client
from gateway.models import Generation
from gateway.services.processes import CurrentProcess, Kind
from gateway.services.runs.claims import claim_next, startable
from gateway.types import ClaimedWork
from gateway.worker import RESERVED_TASKS, Slots, Worker
from orgs.models import ApiKey
from tests.gateway.services.rows import (
    add_generation,
    make_generation,
    new_name,
    new_worker,
    open_key,
)


class Queue:
    """A queue of a provider of its own with a limit, and a worker of it."""

    def __init__(self, settings, limit: int) -> None:
        self.name = new_name()
        settings.PROVIDER_LIMITS = {self.name: limit}
        self.worker_id = new_worker()

    def add(self, api_key: ApiKey, **fields: object) -> Generation:
        return add_generation(api_key, queue=self.name, **fields)

    def claim(self) -> ClaimedWork | None:
        return claim_next(queue=self.name, worker_id=self.worker_id, token=uuid4())

    def claimed(self) -> list[UUID]:
        """Claim until there is no room or no work; return what was claimed, in order."""
        found = []
        while (work := self.claim()) is not None:
            found.append(work.claim.generation_id)
        return found

    def end(self, generation_id: UUID) -> None:
        Generation.objects.filter(id=generation_id).update(
            status=Generation.Status.FAILED, finished_at=now()
        )


@pytest.mark.django_db
def test_no_more_are_claimed_than_the_limit_and_the_end_of_one_lets_one_in(settings):
    queue = Queue(settings, limit=2)
    rows = [queue.add(key) for key in [open_key()] * 4]

    first = queue.claimed()
    queue.end(first[0])

    assert first == [row.id for row in rows[:2]]
    assert queue.claimed() == [rows[2].id]


@pytest.mark.django_db
def test_a_queue_without_a_limit_is_claimed_whole(settings):
    queue = Queue(settings, limit=1)
    settings.PROVIDER_LIMITS = {}
    api_key = open_key()
    for _ in range(3):
        queue.add(api_key)

    assert len(queue.claimed()) == 3


@pytest.mark.django_db
def test_calls_are_counted_and_not_generations(settings):
    queue = Queue(settings, limit=5)
    api_key = open_key()
    three, two, one = (queue.add(api_key, calls=calls) for calls in (3, 2, 1))

    assert queue.claimed() == [three.id, two.id]
    queue.end(two.id)
    assert queue.claimed() == [one.id]


@pytest.mark.django_db
def test_one_that_waits_for_room_is_not_overtaken(settings):
    queue = Queue(settings, limit=3)
    api_key = open_key()
    small, large, last = (queue.add(api_key, calls=calls) for calls in (1, 3, 1))

    assert queue.claimed() == [small.id]
    queue.end(small.id)
    assert queue.claimed() == [large.id]
    queue.end(large.id)
    assert queue.claimed() == [last.id]


@pytest.mark.django_db
def test_one_that_needs_more_calls_than_the_limit_runs_alone(settings):
    queue = Queue(settings, limit=2)
    api_key = open_key()
    small, huge, last = (queue.add(api_key, calls=calls) for calls in (1, 10, 1))

    assert queue.claimed() == [small.id]
    queue.end(small.id)
    assert queue.claimed() == [huge.id]
    queue.end(huge.id)
    assert queue.claimed() == [last.id]


@pytest.mark.django_db
def test_only_as_many_as_may_start_are_looked_for(settings):
    queue = Queue(settings, limit=3)
    api_key = open_key()
    for _ in range(5):
        queue.add(api_key)

    assert startable()[queue.name] == 3
    queue.claim()
    assert startable()[queue.name] == 2
    queue.claimed()
    assert startable()[queue.name] == 0


@pytest.mark.django_db
def test_a_burst_delays_a_single_request_by_no_more_than_one_call(settings):
    """Once the other organization asks, the very next room is its own."""
    queue = Queue(settings, limit=4)
    greedy, modest = open_key(), open_key()
    moment = now() - timedelta(seconds=5)
    Generation.objects.bulk_create(
        make_generation(greedy, queue=queue.name, created_at=moment) for _ in range(1000)
    )
    running = queue.claimed()
    assert len(running) == 4
    single = queue.add(modest)

    assert queue.claimed() == []
    queue.end(running[0])

    assert queue.claimed() == [single.id]


def test_the_slot_that_ends_one_runs_the_next_while_another_worker_holds_the_rest(
    committed, settings
):
    """Each generation here cannot be read, so it fails at once, as a job that breaks a worker."""
    queue = Queue(settings, limit=2)
    api_key = open_key()
    elsewhere = queue.add(api_key, livemode=False)
    queue.claim()
    ours = [queue.add(api_key, livemode=False) for _ in range(4)]
    process = CurrentProcess(Kind.WORKER)
    process.id = new_worker()

    Worker(process, Slots(RESERVED_TASKS + 10, (queue.name,), busy=(queue.name,))).drain(queue.name)

    ended = Generation.objects.filter(id__in=[one.id for one in ours], status="failed")
    assert ended.count() == 4
    started = list(ended.order_by("started_at").values_list("id", flat=True))
    assert started == [one.id for one in ours]
    queue.end(elsewhere.id)


def test_room_for_several_after_the_end_of_one_wakes_another_slot(committed, settings):
    """One slot ended, and claims one: the rest of the room is for others to take."""
    queue = Queue(settings, limit=3)
    api_key = open_key()
    large = queue.add(api_key, calls=3)
    queue.claim()
    for _ in range(3):
        queue.add(api_key)

    wakes = []
    queue.end(large.id)
    for _ in range(3):
        queue.claim()
        wakes.append(redis_client().llen(f"generate.{queue.name}"))

    assert wakes == [1, 2, 2]
    Generation.objects.filter(queue=queue.name).update(status="failed", finished_at=now())


def test_many_claimers_at_once_keep_the_limit(committed, settings):
    """Each on a connection of its own, as if in as many workers; none of the room is left over."""
    claimers, rounds, limit = 8, 5, 3
    queue = Queue(settings, limit=limit)
    keys = [open_key() for _ in range(3)]
    for number in range(claimers * rounds):
        queue.add(keys[number % 3])
    start = threading.Barrier(claimers, action=lambda: end_running(queue))

    def claim(_: int) -> list[int]:
        connection.ensure_connection()
        found = []
        try:
            for _ in range(rounds):
                start.wait()
                found.append(len(queue.claimed()))
        finally:
            connection.close()
        return found

    def end_running(queue: Queue) -> None:
        running = Generation.objects.filter(queue=queue.name, status="running")
        running.update(status="failed", finished_at=now())

    with ThreadPoolExecutor(max_workers=claimers) as threads:
        found = list(threads.map(claim, range(claimers)))

    assert [sum(counts) for counts in zip(*found, strict=True)] == [limit] * rounds
    Generation.objects.filter(queue=queue.name).update(status="failed", finished_at=now())
