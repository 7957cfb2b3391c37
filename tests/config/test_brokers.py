"""The options of each broker's client."""

import inspect

import pytest
import redis
from amqp import Connection
from celery import Celery
from kombu.exceptions import OperationalError

from config.celery_settings import transport_options


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp", "amqps", "pyamqp"])
def test_dead_broker_fails_at_once_and_is_not_tried_again(scheme):
    # Nobody listens on port 1.
    url = f"{scheme}://guest:guest@127.0.0.1:1/0"
    app = Celery(broker=url, set_as_current=False)
    app.conf.broker_transport_options = transport_options(url)
    app.conf.broker_connection_timeout = 1

    with (
        app.producer_pool.acquire() as producer,
        pytest.raises((OperationalError, redis.RedisError, OSError)),
    ):
        producer.publish({}, routing_key="generate.fal", retry=False)


def test_rabbitmq_gets_options_that_its_client_knows():
    options = transport_options("amqp://guest:guest@127.0.0.1:1//")

    assert set(options) - {"max_retries"} <= set(inspect.signature(Connection).parameters)
    assert options["max_retries"] == 0
