import io

import pytest
from django.core.management.base import CommandError
from django.db import connection

from gateway.management.commands.bootstrap import Command

pytestmark = pytest.mark.django_db


@pytest.fixture
def allowed() -> int:
    """Return how many connections the server leaves to roles that are no superusers."""
    names = ("max_connections", "reserved_connections", "superuser_reserved_connections")
    with connection.cursor() as cursor:
        found = []
        for name in names:
            cursor.execute(f"SHOW {name}")
            found.append(int(cursor.fetchone()[0]))
    most, *kept = found
    return most - sum(kept)


def check(size: int, settings, monkeypatch) -> str:
    """Check with pools of this size, for two web processes and one of each other; return warnings.

    They hold 6 pools and 2 x 2 + 2 connections; both web processes have successors at a restart.
    """
    settings.DATABASE_POOL_SIZE = size
    monkeypatch.setenv("WEB_PROCESSES", "2")
    said = io.StringIO()
    Command(stderr=said).check_connections()
    return said.getvalue()


def test_bootstrap_counts_all_connections_of_a_host(allowed, settings, monkeypatch):
    fits, holds = (allowed - 6 - 4) // 8, (allowed - 6) // 6

    assert check(fits, settings, monkeypatch) == ""
    words = f"up to {6 * holds + 6} connections, and {8 * holds + 10} while they are restarted"
    assert words in check(holds, settings, monkeypatch)
    with pytest.raises(CommandError, match=f"up to {6 * (holds + 1) + 6} .* allows {allowed}"):
        check(holds + 1, settings, monkeypatch)


def test_bootstrap_counts_nothing_without_pools(settings, monkeypatch):
    monkeypatch.setenv("WEB_PROCESSES", "100000")

    assert check(0, settings, monkeypatch) == ""
