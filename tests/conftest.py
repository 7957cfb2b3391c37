"""Fixtures for tests of the whole product; see `tests.stack`."""

import os
from collections.abc import Callable, Generator, Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.stack import Stack
from tests.tenants import Tenant

_USED = pytest.StashKey[tuple[Stack, dict[str, int]]]()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Run all tests of the stack in one xdist worker, so that only one stack exists.

    A wrapper, to come before pytest-xdist's own hook, which reads the groups.
    """
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("stack"))
    return (yield)


@pytest.fixture(scope="session")
def _running_stack(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"), django_db_blocker, dict(os.environ))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(_running_stack: Stack, request: pytest.FixtureRequest) -> Stack:
    """The whole product, running; what its processes log is shown with a failure."""
    _running_stack.close_breakers()
    request.node.stash[_USED] = (_running_stack, _running_stack.log_sizes())
    return _running_stack


@pytest.fixture
def tenant(stack: Stack) -> Tenant:
    """An organization with USD 10 and a live key."""
    return Tenant.open(stack)


@pytest.fixture
def open_tenant(stack: Stack) -> Callable[..., Tenant]:
    """Open an organization with other money or other terms of its key."""
    return lambda **how: Tenant.open(stack, **how)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    used = item.stash.get(_USED, None)
    if report.failed and used is not None:
        stack, sizes = used
        report.sections.append(("Logs of the stack", stack.log_tails(sizes)))
    return report
