"""No storage request while a database connection is held."""

import pytest
from django.db import connection, transaction

from gateway.storage import public_storage, release_connections
from tests.gateway.storage.conftest import put


@pytest.fixture(autouse=True)
def _enforced(settings, django_db_setup, django_db_blocker):
    # Not the `db` fixture: it holds a transaction open for the whole test.
    settings.FORBID_NETWORK_IN_TRANSACTION = True
    with django_db_blocker.unblock():
        release_connections()
        yield
        release_connections()


def open_connection():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_request_inside_a_transaction_is_refused(folder):
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        put(public_storage(), folder + "0.png", b"data")
    release_connections()

    assert not public_storage().exists(folder + "0.png")


@pytest.mark.parametrize(
    "call",
    [
        lambda storage, key: storage.stat(key),
        lambda storage, key: storage.open_stream(key),
        lambda storage, key: storage.delete(key),
        lambda storage, key: list(storage.list_prefix(key)),
        lambda storage, key: storage.delete_prefix(key + "/"),
        lambda storage, key: storage.size(key),
    ],
)
def test_request_with_an_open_connection_is_refused(folder, call):
    open_connection()

    with pytest.raises(RuntimeError, match="open connection"):
        call(public_storage(), folder + "0.png")
    release_connections()


def test_released_connection_is_no_obstacle(folder):
    open_connection()
    release_connections()

    assert not public_storage().exists(folder + "0.png")


def test_url_needs_no_network(folder):
    with transaction.atomic():
        assert public_storage().url(folder + "0.png").endswith("/0.png")
