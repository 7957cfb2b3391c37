"""A worker that consumes some of the queues leaves the others to their own workers."""

from datetime import timedelta
from uuid import uuid4

import gevent
import pytest
from celery import Celery
from django.conf import settings

from core.clock import now
from core.wakes import generation_queues
from gateway.models import Attempt, Generation, Process
from gateway.services.processes import CurrentProcess, Kind
from gateway.services.routing import Step, queues
from gateway.services.runs.attempts import new_attempt, start_attempt
from gateway.services.runs.claims import claim_next
from gateway.worker import RESERVED_TASKS, Slots, Worker
from tests.gateway.services.rows import add_generation, new_name, new_worker, open_key


def make_worker() -> Worker:
    process = CurrentProcess(Kind.WORKER)
    process.id = new_worker()
    return Worker(process, Slots(100, queues(), busy=queues()))


def test_worker_takes_work_of_the_queues_it_consumes_alone(committed):
    """A generation that runs here fails, as nothing of it can be read."""
    api_key = open_key()
    ours = add_generation(api_key, queue="fal", livemode=False)
    foreign = add_generation(api_key, queue="openai", livemode=False)
    worker = make_worker()
    worker.serve_only(("fal",))

    worker.look()
    gevent.sleep(0)
    assert worker.wait_until_idle(10)

    states = dict(Generation.objects.filter(api_key=api_key).values_list("id", "status"))
    assert states == {ours.id: "failed", foreign.id: "queued"}
    Generation.objects.filter(id=foreign.id).update(status="failed", finished_at=now())


@pytest.mark.parametrize("limits", [{}, {"fal": 1_000}], ids=["unlimited", "limited"])
@pytest.mark.parametrize(("age_s", "is_ended"), [(0, True), (21, False)], ids=["ended", "run out"])
@pytest.mark.usefixtures("committed")
def test_worker_without_a_lease_claims_nothing_until_it_has_another(
    settings, limits, age_s, is_ended
):
    """One that thaws knows nothing yet: its heartbeat finds out within seconds."""
    settings.PROVIDER_LIMITS = limits
    generation = add_generation(open_key(), queue="fal", livemode=False)
    worker = make_worker()
    process = worker._process
    assert process.id is not None
    moment = now()
    Process.objects.filter(id=process.id).update(
        heartbeat_at=moment - timedelta(seconds=age_s), ended_at=moment if is_ended else None
    )

    worker.look()
    gevent.sleep(0)
    assert worker.wait_until_idle(10)
    worker.drain("fal")

    generation.refresh_from_db()
    assert (generation.status, generation.claim_token) == ("queued", None)
    process._register()
    worker.drain("fal")
    process.stop()
    generation.refresh_from_db()
    # It ran: nothing of it can be read.
    assert generation.status == "failed"


@pytest.mark.django_db
def test_no_call_begins_under_a_claim_whose_lease_has_ended():
    """The sweeper has yet to hand it on; the provider would be paid for one call too many."""
    queue, worker_id = new_name(), new_worker()
    generation = add_generation(open_key(), queue=queue)
    work = claim_next(queue=queue, worker_id=worker_id, token=uuid4())
    assert work is not None
    step = Step(queue=queue, provider=queue, upstream_model="model")
    first, second = (
        new_attempt(claim=work.claim, step=step, number=number, indexes=[0], now=now())
        for number in (1, 2)
    )

    assert start_attempt(first)
    Process.objects.filter(id=worker_id).update(ended_at=now())
    assert not start_attempt(second)

    assert list(Attempt.objects.filter(generation=generation)) == [first]


def test_worker_without_queues_of_generations_has_no_slots(db):
    worker = make_worker()

    worker.serve_only(())

    assert worker._slots.capacity == {}


def test_one_queue_of_a_worker_has_its_whole_pool(db):
    worker = make_worker()

    worker.serve_only(("sandbox",))

    assert worker._slots.capacity == {"sandbox": settings.WORKER_POOL_SIZE - RESERVED_TASKS}


def test_queues_of_generations_are_those_that_celery_was_given():
    app = Celery("queues", set_as_current=False)
    app.amqp.queues.select(["generate.fal", "generate.azure_openai", "default"])

    assert generation_queues(app) == ("fal", "azure_openai")
