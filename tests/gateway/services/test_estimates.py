"""How long a generation will still take, by its model's latency and its place in the queue."""

from datetime import timedelta
from uuid import uuid4

import pytest

from core.clock import now
from gateway.catalog.registry import catalog
from gateway.models import Generation
from gateway.selectors.generations import get_generation
from gateway.services.requests.estimates import estimate
from orgs.models import ApiKey
from tests.gateway.services.rows import add_generation, new_name, new_worker, open_key

MODEL = "fal/flux-1.1-pro"


def seconds(generation: Generation, *, after_s: float = 0) -> int:
    view = get_generation(organization_id=generation.organization_id, generation_id=generation.id)
    expected = estimate(view=view, now=generation.created_at + timedelta(seconds=after_s))
    assert expected is not None
    return expected.seconds


def start(generation: Generation) -> None:
    Generation.objects.filter(id=generation.id).update(
        status="running",
        started_at=generation.created_at,
        claim_token=uuid4(),
        worker_id=new_worker(),
    )


@pytest.fixture
def queue() -> str:
    return new_name()


@pytest.fixture
def api_key(db) -> ApiKey:
    return open_key()


def latency() -> tuple[float, float]:
    model = catalog().find(MODEL)
    assert model is not None
    return model.p50_s, model.p95_s


def test_running_one_ends_by_the_median_then_by_the_95th_percentile(api_key, queue):
    p50_s, p95_s = latency()
    generation = add_generation(api_key, model=MODEL, queue=queue)
    start(generation)

    assert seconds(generation) == p50_s
    assert seconds(generation, after_s=p50_s - 0.5) == 1
    assert seconds(generation, after_s=p50_s + 1) == p95_s - p50_s - 1
    assert seconds(generation, after_s=p95_s + 5) == 1


def test_one_that_just_came_starts_at_once(api_key, queue):
    assert seconds(add_generation(api_key, model=MODEL, queue=queue)) == latency()[0]


def test_one_in_a_full_queue_waits_for_those_before_it(api_key, queue):
    p50_s, _ = latency()
    moment = now()
    for _ in range(2):
        start(add_generation(api_key, model=MODEL, queue=queue))
    deadline_at = moment + timedelta(hours=1)
    queued = [
        add_generation(
            api_key,
            model=MODEL,
            queue=queue,
            created_at=moment + timedelta(milliseconds=number),
            deadline_at=deadline_at,
        )
        for number in range(3)
    ]

    assert [seconds(one, after_s=4) for one in queued] == [2 * p50_s, 2 * p50_s, 3 * p50_s]


def test_nothing_takes_longer_than_to_its_deadline(api_key, queue):
    moment = now()
    rows = [
        add_generation(
            api_key,
            model=MODEL,
            queue=queue,
            created_at=moment + timedelta(milliseconds=number),
            deadline_at=moment + timedelta(seconds=60),
        )
        for number in range(50)
    ]

    assert seconds(rows[-1], after_s=10) == 50


def test_ended_one_has_no_estimate(api_key, queue):
    generation = add_generation(
        api_key, model=MODEL, queue=queue, status="failed", finished_at=now()
    )
    view = get_generation(organization_id=generation.organization_id, generation_id=generation.id)

    assert estimate(view=view, now=now()) is None
