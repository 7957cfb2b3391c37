import pytest

from tests.faults.stack import Organization, Stack, shared_stack


@pytest.fixture(scope="session")
def machine():
    """The product under its own supervisor, shared by the tests that need one."""
    shared = shared_stack()
    yield shared
    shared.close()


@pytest.fixture
def organization(machine: Stack) -> Organization:
    """An organization of the test's own, with ample credit."""
    return machine.organization()
