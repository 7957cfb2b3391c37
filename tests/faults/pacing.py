"""The process of `tests.faults.pace`, for tests."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

TIMEOUT_S = 120


@dataclass(frozen=True)
class Job:
    """What to send, and how often."""

    host: str
    port: int
    key: str
    models: list[str]
    mark: str
    delay_s: float
    per_second: float


class PaceProcess:
    """The client in its process."""

    def __init__(self, job: Job) -> None:
        self._began_s = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.pace", json.dumps(asdict(job))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> tuple[list[dict[str, Any]], float]:
        """Stop sending; return all answers, and the pace in calls a second that was kept."""
        sent_for_s = time.monotonic() - self._began_s
        answers = json.loads(self._process.communicate(timeout=TIMEOUT_S * 2)[0])
        return answers, len(answers) / sent_for_s
