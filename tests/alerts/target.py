"""A process that shows its metrics as the product's do, and does nothing else: for tests to end."""

import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from core.metrics.exposition import render
from core.metrics.health import Health, ask_here
from core.metrics.serving import serve_metrics

FILES_LIMIT = 64


def main(port: int, open_files: int) -> None:
    """Serve, with so many files open of `FILES_LIMIT`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_LIMIT, hard))
    with ExitStack() as files:
        for _ in range(open_files):
            files.enter_context(Path(sys.executable).open("rb"))
        health = Health(life=str, service=str)
        serve_metrics(host="127.0.0.1", port=port, render=render, health=health, ask=ask_here)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
