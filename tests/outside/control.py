"""The outside upstream as a process, and what tests tell and ask it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from embedded.ports import listen
from tests.outside.protocols.exchange import KEYS

ROOT = Path(__file__).resolve().parent.parent.parent
# Seconds of one upstream call, so that silence ends before the models' own deadlines of a minute.
CALL_LIMIT_S = 10
_PATHS = {"openai": "openai/v1", "xai": "xai/v1"}


class Upstream:
    """A running upstream."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def settings(self) -> dict[str, str]:
        """What points a product at it."""
        values = {}
        for provider, key in KEYS.items():
            prefix = provider.upper()
            values[f"{prefix}_BASE_URL"] = f"{self.url}/{_PATHS.get(provider, provider)}"
            values[f"{prefix}_API_KEY"] = key
            values[f"{prefix}_TIMEOUT_S"] = str(CALL_LIMIT_S)
        return values

    def rule(self, contains: str, **rule: object) -> None:
        """Make calls whose prompt contains a text misbehave; see `tests.outside.book.Rule`."""
        body = {"contains": contains, **rule}
        requests.post(f"{self.url}/_rules", json=body, timeout=10).raise_for_status()

    def calls(self, contains: str) -> list[dict[str, Any]]:
        """Return the generation calls whose prompt contains a text, in order."""
        return self._ask("_calls", contains)

    def seen(self, contains: str = "") -> list[dict[str, Any]]:
        """Return every request of those calls: polls and downloads too."""
        return self._ask("_seen", contains)

    def crashes(self) -> list[str]:
        """Return what went wrong in the upstream itself."""
        return self._ask("_crashes", "")

    def _ask(self, path: str, contains: str) -> list[Any]:
        answer = requests.get(f"{self.url}/{path}", params={"contains": contains}, timeout=30)
        return list(answer.json())


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Start the upstream on a free port, and end it."""
    with listen("127.0.0.1", 0) as listener:
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.outside.upstream", "--fd", str(descriptor)],
            cwd=ROOT,
            pass_fds=(descriptor,),
        )
        try:
            yield Upstream(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            process.kill()
            process.wait()
