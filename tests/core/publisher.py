"""A process that publishes one wake for each line it reads, and says whether the broker took it.

`python -m tests.core.publisher URL SECONDS`, or the same under `gevent.monkey`; SECONDS are what a
publish may take. It is connected before it reads.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from config.celery_settings import transport_options
from core import queue

_UNPATCHED = ("-m",)
_PATCHED = ("-m", "gevent.monkey", "--module")


class Publisher:
    """Such a process, seen from the test."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.answer()

    def ask(self) -> None:
        """Tell it to publish."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def answer(self) -> bool:
        """Wait for what became of it."""
        assert self._process.stdout is not None
        return bool(json.loads(self._process.stdout.readline()))

    def publish(self) -> bool:
        """Tell it to publish; return whether the broker took the message."""
        self.ask()
        return self.answer()

    def connections(self, port: int) -> int:
        """Return how many sockets it holds whose other end is a port."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        there = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{port:04X}")}
        files = Path(f"/proc/{self._process.pid}/fd").iterdir()
        return len([file for file in files if str(file.readlink()) in there])


@contextmanager
def publisher(url: str, *, seconds: float, patched: bool) -> Iterator[Publisher]:
    """Run one."""
    with subprocess.Popen(
        (
            *(sys.executable, *(_PATCHED if patched else _UNPATCHED)),
            *("tests.core.publisher", url, str(seconds)),
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Publisher(process)
        finally:
            process.kill()


def main(url: str, seconds: float) -> None:
    options = transport_options(url)
    if "read_timeout" in options:
        options["read_timeout"] = seconds
    queue.PUBLISH_TIMEOUT_S = seconds
    app = Celery("publisher")
    app.config_from_object("config.celery_settings")
    app.conf.update(broker_url=url, broker_transport_options=options)
    producer: Any
    with app.producer_pool.acquire() as producer:
        producer.connection.connect()
    _say(True)
    for _ in sys.stdin:
        queue._publish_cool_off.cache_clear()
        _say(queue.send_task("gateway.generate", "generate.fal", {"queue": "fal"}))


def _say(word: bool) -> None:
    sys.stdout.write(f"{json.dumps(word)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
