import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

ROOT = Path(__file__).parents[2]


class Sandbox:
    """A running sandbox process and the calls tests make to it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def calls(self, contains: str, **filters: str) -> int:
        answer = requests.get(f"{self.url}/_log", params={"contains": contains, **filters})
        return int(answer.json()["count"])

    def configure(self, **changes: object) -> requests.Response:
        return requests.post(f"{self.url}/_config", json=changes)

    def openai(self, key: str = "sk-test", timeout: float = 60, **body: object) -> Any:
        return requests.post(
            f"{self.url}/openai/v1/images/generations",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout,
        )

    def fal(
        self, method: str, path: str, body: object = None, key: str = "id:secret", timeout=60.0
    ) -> requests.Response:
        headers = {"Authorization": f"Key {key}"}
        url = path if path.startswith("http") else f"{self.url}/fal/{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=timeout)


@pytest.fixture(scope="session")
def process() -> Iterator[Sandbox]:
    child = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        yield Sandbox(line.split()[-1])
    finally:
        child.terminate()
        child.wait(timeout=10)
        assert child.returncode == 0


@pytest.fixture
def sandbox(process: Sandbox) -> Iterator[Sandbox]:
    """The shared process with fast fal jobs; its settings, counters and log are new."""
    requests.delete(f"{process.url}/_log").raise_for_status()
    assert process.configure(reset=True, fal={"queue_s": 0, "run_s": 0}).status_code == 200
    yield process
    process.configure(reset=True)


@pytest.fixture
def opened() -> Callable[[bytes], Image.Image]:
    def decode(data: bytes) -> Image.Image:
        image = Image.open(io.BytesIO(data))
        image.load()
        return image

    return decode
