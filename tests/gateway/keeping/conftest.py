from collections.abc import Iterator

import pytest

from gateway.storage import ensure_buckets
from tests.gateway.keeping.databases import new_database


@pytest.fixture(scope="session", autouse=True)
def _buckets():
    ensure_buckets()


@pytest.fixture(autouse=True)
def _unblocked(django_db_setup, django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    """A database with all tables, to be backed up; the tests of a module share it."""
    with new_database(is_empty=False) as name:
        yield name


@pytest.fixture
def target() -> Iterator[str]:
    """An empty database."""
    with new_database(is_empty=True) as name:
        yield name
