import os
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.outside.control import Upstream, running_upstream
from tests.stack import Stack


@pytest.fixture(scope="package")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as upstream:
        yield upstream
        assert upstream.crashes() == []


@pytest.fixture(scope="package")
def _running(
    upstream: Upstream,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("outside")
    stack = Stack(
        folder, django_db_blocker, dict(os.environ), web_processes=1, settings=upstream.settings
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def outside(_running: Stack) -> Stack:
    """The whole product, with every provider at the outside upstream."""
    _running.close_breakers()
    return _running
