"""RabbitMQ as the broker: woken at once, and no worse off without it than with Redis."""

import statistics
import threading
import time
import uuid

import pytest

from tests.core.publisher import publisher
from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Crowd, mixed_calls
from tests.faults.rabbit import MISSING, Rabbit, server
from tests.faults.stack import Stack, wait_for

pytestmark = [
    pytest.mark.xdist_group("rabbitmq"),
    pytest.mark.big,
    pytest.mark.timeout(600),
    pytest.mark.skipif(server() is None, reason=MISSING),
]
# Without a wake a generation waits for the worker's own look: 1 s on average, 2 s at most.
WOKEN_S = 0.5


@pytest.fixture(scope="module")
def rabbit():
    broker = Rabbit()
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def product(rabbit):
    stack = Stack({"CELERY_BROKER_URL": rabbit.url})
    yield stack
    stack.close()


def waits_s(product, organization, mark, *, count=8):
    """Make calls one after another; return how long each waited to be started."""
    crowd = Crowd(product)
    for number in range(count):
        call = Call(organization, model=(OPENAI, FAL)[number % 2], prompt=f"{mark} {number}")
        call.run(product)
        crowd.calls.append(call)
    audit(product, organization, crowd.calls)
    rows = product.rows(
        "SELECT EXTRACT(epoch FROM started_at - created_at)::float8 AS waited"
        " FROM gateway_generation WHERE organization_id = %s",
        organization.id,
    )
    return [row["waited"] for row in rows]


def is_woken(product):
    """Whether wakes arrive: once the pause after a failure is over."""
    time.sleep(1)
    organization = product.organization()
    return (
        statistics.median(waits_s(product, organization, f"again {uuid.uuid4()}", count=4))
        < WOKEN_S
    )


def test_generations_are_woken_at_once(product):
    assert statistics.median(waits_s(product, product.organization(), "woken")) < WOKEN_S


def test_queues_are_durable_shared_and_kept(product, rabbit):
    product.organization()
    with rabbit.connect() as connection:
        channel = connection.channel()
        for name in ("generate.openai", "generate.fal", "default", "thumbnails"):
            # Refused with 406 if it was declared in another way.
            declared = channel.queue_declare(name, durable=True, exclusive=False, auto_delete=False)
            assert declared.consumer_count == 1


def test_broker_killed_under_load_loses_nothing_and_comes_back(product, rabbit):
    organization = product.organization()
    crowd = Crowd(product)
    calls = mixed_calls(organization, 60, "rabbit killed", delay_s=0.5)
    load = threading.Thread(target=crowd.send_all, args=(calls,), kwargs={"per_second": 4})
    load.start()
    time.sleep(4)
    rabbit.kill()
    time.sleep(5)
    rabbit.start()
    load.join()
    audit(product, organization, crowd.join())
    assert len(product.upstream.calls("rabbit killed")) == len(calls)
    wait_for(lambda: is_woken(product), timeout_s=90, message="wakes arrive again")


@pytest.mark.parametrize("patched", [True, False], ids=["patched", "unpatched"])
def test_connections_to_a_frozen_broker_are_given_up(rabbit, patched):
    """It freezes between a connection and the channel in it."""
    with publisher(rabbit.url, seconds=2, patched=patched) as client:
        assert client.connections(rabbit.port) == 1
        with rabbit.frozen():
            assert [client.publish() for _ in range(5)] == [False] * 5
            assert client.connections(rabbit.port) == 0
        assert [client.publish() for _ in range(5)] == [True] * 5
        assert client.connections(rabbit.port) == 1


def test_frozen_broker_holds_no_request_up(product, rabbit):
    organization = product.organization()
    crowd = Crowd(product)
    with rabbit.frozen():
        calls = mixed_calls(organization, 20, "rabbit frozen", delay_s=0.2)
        crowd.send_all(calls, per_second=2)
        crowd.join()
    audit(product, organization, calls)
    wait_for(lambda: is_woken(product), timeout_s=90, message="wakes arrive again")
