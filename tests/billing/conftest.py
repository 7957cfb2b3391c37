"""Organizations with money, in transactions that are rolled back or in ones that are committed."""

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.billing.scene import Scene


@pytest.fixture
def scene(db) -> Scene:
    """A new organization in pesos; everything is rolled back after the test."""
    return Scene.create()


@pytest.fixture
def committed(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Access to the database with real commits.

    Nothing is flushed afterwards (the journal refuses TRUNCATE): such a test makes its own
    organization and looks at nothing else.
    """
    with django_db_blocker.unblock():
        yield
        connection.close()
