"""Run under gevent's patches, in a process of its own: prints how long each deadline took."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

from core.http.client import HttpClient  # noqa: E402
from core.http.errors import TimedOut  # noqa: E402

DEADLINE_S = 0.5


def fetch(client: HttpClient, url: str) -> tuple[str, float]:
    started = time.monotonic()
    try:
        with client.open("GET", url, deadline=started + DEADLINE_S) as answer:
            answer.read_body(limit=1_000_000)
    except TimedOut as error:
        return f"TimedOut {error.processed}", time.monotonic() - started
    return "answered", time.monotonic() - started


def main() -> None:
    client = HttpClient(allow_private=True, version="1")
    jobs = [gevent.spawn(fetch, client, url) for url in sys.argv[1:]]
    gevent.joinall(jobs, raise_error=True)
    sys.stdout.write(json.dumps([job.value for job in jobs]))


main()
