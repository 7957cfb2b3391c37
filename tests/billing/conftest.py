"""Organizations with money."""

import pytest

from tests.billing.scene import Scene


@pytest.fixture
def scene(db) -> Scene:
    """A new organization in pesos; everything is rolled back after the test."""
    return Scene.create()
