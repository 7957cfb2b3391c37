from collections.abc import Iterator

import pytest

from core.http.client import HttpClient
from tests.core.http.upstream import Upstream, serve


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serve() as server:
        yield server


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow_private=True, version="1.2.3")
    yield made
    made.close()
