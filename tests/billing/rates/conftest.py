"""The publishers of rates, emulated over HTTP by the sandbox."""

from collections.abc import Iterator

import pytest
import requests

from tests.sandbox.conftest import Sandbox, process

__all__ = ["process", "publishers"]


class Publishers:
    """The emulated publishers, whose days tests change."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.url = sandbox.url

    def say(self, source: str, day: str, **rates: str) -> None:
        body = {day: rates or None}
        requests.post(f"{self.url}/{source}/_rates", json=body).raise_for_status()

    def fail(self, source: str) -> None:
        faults = {source: {"fault_rates": {"500": 1.0}}}
        assert self._sandbox.configure(**faults).status_code == 200

    def reset(self) -> None:
        self._sandbox.configure(reset=True)
        for source in ("ecb", "banxico"):
            requests.delete(f"{self.url}/{source}/_rates")


@pytest.fixture
def publishers(process: Sandbox, settings) -> Iterator[Publishers]:
    """Point both sources at the emulators, as if they were the real ones."""
    settings.ECB_BASE_URL = f"{process.url}/ecb"
    settings.BANXICO_BASE_URL = f"{process.url}/banxico"
    settings.BANXICO_TOKEN = "token"
    found = Publishers(process)
    found.reset()
    yield found
    found.reset()
