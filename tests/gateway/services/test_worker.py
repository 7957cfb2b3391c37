"""A worker that consumes some of the queues leaves the others to their own workers."""

import gevent
from celery import Celery
from django.conf import settings

from core.clock import now
from core.wakes import generation_queues
from gateway.models import Generation
from gateway.services.processes import CurrentProcess, Kind
from gateway.services.routing import queues
from gateway.worker import RESERVED_TASKS, Slots, Worker
from tests.gateway.services.rows import add_generation, new_worker, open_key


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
