"""A client that keeps a steady pace and never retries: `python -m tests.faults.pace JOB`.

A process by itself, so that its pace does not depend on what the test does meanwhile. Connections
are kept and used again, as SDKs do. It sends until its standard input ends, waits for the answers
and prints them as JSON.
"""

from gevent import monkey

monkey.patch_all()

import http.client  # noqa: E402 - gevent patches first
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.pool import Pool  # noqa: E402

from tests.faults.pacing import TIMEOUT_S, Job  # noqa: E402


class Pace:
    """The calls under way, and the connections that wait for the next one."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._idle: list[http.client.HTTPConnection] = []
        self._is_over = False
        self.answers: list[dict[str, Any]] = []

    def run(self) -> None:
        """Send until standard input ends, then wait for all answers."""
        gevent.spawn(self._wait_for_the_end)
        pool = Pool()
        began_s = time.monotonic()
        number = 0
        while not self._is_over:
            pool.spawn(self._call, number)
            number += 1
            gevent.sleep(max(0.0, began_s + number / self._job.per_second - time.monotonic()))
        pool.join()

    def _wait_for_the_end(self) -> None:
        gevent.get_hub().threadpool.apply(sys.stdin.read)
        self._is_over = True

    def _call(self, number: int) -> None:
        job = self._job
        model = job.models[number % len(job.models)]
        prompt = f"{job.mark} {number} <delay={job.delay_s}>"
        body = {"model": model, "prompt": prompt, "response_format": "url"}
        headers = {"Authorization": f"Bearer {job.key}", "Content-Type": "application/json"}
        answer: dict[str, Any] = {"model": model, "prompt": prompt, "status": None, "error": ""}
        began_s = time.monotonic()
        connection = self._idle.pop() if self._idle else self._connect()
        try:
            connection.request("POST", "/v1/images/generations", json.dumps(body), headers)
            response = connection.getresponse()
            answer |= {"status": response.status, "body": json.loads(response.read())}
            if not response.will_close:
                self._idle.append(connection)
        except (OSError, http.client.HTTPException) as error:
            answer["error"] = repr(error)
        answer["took_s"] = time.monotonic() - began_s
        self.answers.append(answer)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._job.host, self._job.port, timeout=TIMEOUT_S)


def main() -> None:
    """Run the job of the command line."""
    pace = Pace(Job(**json.loads(sys.argv[1])))
    pace.run()
    print(json.dumps(pace.answers))


if __name__ == "__main__":
    main()
