"""Fixtures for tests of the whole product; see `tests.stack`."""

import gc
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, connection, connections
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker, Settings

from core.telemetry import context
from tests.committing import Rows, read_rows, restore_rows
from tests.moments import DAY_S, HOUR_S, wait_out
from tests.stack import Stack
from tests.templates import make_migrated
from tests.tenants import Tenant

_TESTS = Path(__file__).parent
# Folders whose tests have a product of their own; all others that need one share another.
_OWN: Mapping[Path, str] = {_TESTS / "contract": "contract", _TESTS / "e2e": "pages"}
# Each group of tests has a product of its own, on one worker; in this order they are handed out.
_GROUPS: Mapping[str | None, int] = {
    name: rank for rank, name in enumerate(("pages", "supervisor", "stack", "contract", "catalog"))
}
# What a test takes on a busy machine, those apart that wait for something.
_LONG_S = 10
# The same examples in each run, and no limits of time, which a busy machine would break.
hypothesis.settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")
_USED = pytest.StashKey[tuple[Stack, dict[str, int]]]()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Share the stacks out to xdist's workers, the groups that take longest first.

    A wrapper, to come before pytest-xdist's own hook, which reads the groups.
    """
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()) and _group_of(item) is None:
            name = next((_OWN[part] for part in _OWN if item.path.is_relative_to(part)), "stack")
            item.add_marker(pytest.mark.xdist_group(name))
    yield
    # After pytest-django's own order, which puts all that needs no database last.
    items.sort(key=lambda item: _GROUPS.get(_group_of(item), len(_GROUPS)))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking at thousands of tests: that took a tenth of all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _group_of(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("xdist_group")
    return str(mark.args[0]) if mark else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let no test begin while a day or a month may turn: what it spends would be of two."""
    wait_out(HOUR_S, last_s=_LONG_S)
    if "stack" in getattr(item, "fixturenames", ()):
        # Of the whole product's tests some take longer; their organizations live in UTC.
        wait_out(DAY_S, last_s=60)


@pytest.fixture(autouse=True)
def _connections_outlast_requests() -> None:
    """Closing a response must not touch the connection that another test has left open.

    Django's own test client does the same for its requests, and then has it done again.
    """
    request_finished.disconnect(close_old_connections)


@pytest.fixture(autouse=True)
def _nothing_is_worked_on() -> None:
    """Requests in this process leave their ids; in the product each has a greenlet of its own."""
    context.begin()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Copy the tests' own database from one that is migrated once for all workers."""
    connections["default"].settings_dict["TEST"]["TEMPLATE"] = make_migrated(os.environ)


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """Make the tests' own database whichever tests are chosen.

    pytest-django's own fixture makes none where no chosen test has its mark, and `committed` has
    not.
    """
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def _migrated_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Rows:
    with django_db_blocker.unblock():
        return read_rows()


@pytest.fixture
def committed(_migrated_rows: Rows, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Access to the database with real commits; no other test sees what is left of them."""
    with django_db_blocker.unblock():
        yield
        restore_rows(_migrated_rows)
        connection.close()


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
def pages(settings: Settings) -> None:
    """Let pages be drawn without their files having been prepared; see `tests.visits`."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


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
