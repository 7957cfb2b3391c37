from collections.abc import Iterator

import pytest
from django.db import connection


@pytest.fixture
def committed(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Access to the database with real commits.

    Nothing is flushed afterwards: such a test looks at rows of its own only.
    """
    with django_db_blocker.unblock():
        yield
        connection.close()
