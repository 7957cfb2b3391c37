"""The pooled backend: dead connections are replaced, and urgent greenlets have their own."""

import os
import socket
import threading

import pytest
from django.conf import settings
from django.db import connection

from core.postgres.connections import use_own_connection


@pytest.fixture(autouse=True)
def _database(django_db_setup, django_db_blocker):
    # Nothing is written, so there is nothing to roll back or flush.
    with django_db_blocker.unblock():
        connection.close()
        yield
        connection.close()


def _backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def _in_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(10)
    return found[0]


def _pooled():
    """Return the backends behind many turns with a connection, each given back at once."""
    found = set()
    for _ in range(3 * settings.DATABASE_POOL_SIZE):
        found.add(_backend())
        connection.close()
    return found


def test_connections_are_used_again():
    assert 1 <= len(_pooled()) <= settings.DATABASE_POOL_SIZE


def test_connection_that_the_server_ended_is_replaced():
    first = _backend()
    connection.close()

    def end_it():
        use_own_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        connection.close()

    _in_thread(end_it)
    assert first not in _pooled()


def test_own_connection_is_not_the_pools():
    def own():
        use_own_connection()
        found = _backend()
        connection.close()
        return found

    assert _in_thread(own) not in _pooled()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has it")
@pytest.mark.parametrize("prepare", [lambda: None, use_own_connection], ids=["pooled", "own"])
def test_a_query_to_a_host_that_died_fails_within_25_s(prepare):
    """Unanswered, it would be sent again for a quarter of an hour; the kernel keeps the time."""

    def time_out():
        prepare()
        connection.ensure_connection()
        with socket.socket(fileno=os.dup(connection.connection.fileno())) as copy:
            found = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        connection.close()
        return found

    assert _in_thread(time_out) == 25_000
