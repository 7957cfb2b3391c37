import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gevent.lock import BoundedSemaphore

from core.http.client import HttpClient
from gateway.providers.base import Call, Endpoint, ImageRequest
from gateway.providers.transfer import TransferPermit
from tests.core.http.upstream import Upstream, serve

ROOT = Path(__file__).parents[3]
MakeCall = Callable[..., Call]
KEY = "secret-key"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serve() as server:
        yield server


@pytest.fixture
def images() -> Iterator[Upstream]:
    """A second server: the host that images are downloaded from."""
    with serve() as server:
        yield server


@pytest.fixture
def saved() -> list[str]:
    """The job ids that an adapter had saved."""
    return []


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The sandbox, in a process of its own."""
    child = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        yield child.stdout.readline().split()[-1]
    finally:
        child.terminate()
        child.wait(timeout=10)


@pytest.fixture(scope="session")
def clients() -> Iterator[dict[bool, HttpClient]]:
    """One client per value of `allow_private`, as a process has."""
    made = {allow: HttpClient(allow_private=allow, version="1") for allow in (True, False)}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture
def make_call(saved: list[str], clients: dict[bool, HttpClient]) -> MakeCall:
    def make(
        base_url: str,
        *,
        seconds: float = 20.0,
        allow_private: bool = True,
        options: dict[str, str] | None = None,
        **fields,
    ) -> Call:
        request = {"upstream_model": "m", "prompt": "a cat", "n": 1, "width": 1, "height": 1}
        return Call(
            request=ImageRequest(**{**request, **fields}),
            endpoint=Endpoint(
                provider="p",
                base_url=base_url,
                api_key=KEY,
                official=False,
                headers={"X-Extra": "route"},
                options=options or {},
            ),
            http=clients[allow_private],
            deadline=time.monotonic() + seconds,
            permit=TransferPermit(BoundedSemaphore(1)),
            on_submitted=saved.append,
            max_image_bytes=4_000_000,
            expected_s=0.1,
        )

    return make
