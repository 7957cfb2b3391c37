"""The load generator: `python -m bench.load <job as JSON>` prints what it measured as JSON.

Plain sockets and a parser that knows no more than it must: what it costs is CPU that the measured
processes lack.
"""

from gevent import monkey

monkey.patch_all()

import itertools  # noqa: E402 - gevent patches first
import socket  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from dataclasses import dataclass  # noqa: E402

import gevent  # noqa: E402
import orjson  # noqa: E402
from gevent.pool import Pool  # noqa: E402

from embedded.limits import raise_file_limit  # noqa: E402

_HEAD_BYTES = 16 * 1024
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Job:
    """What to send: `requests` calls, `concurrency` at a time, each caller on one connection."""

    port: int
    api_key: str
    body: dict[str, object]
    concurrency: int
    requests: int
    timeout_s: float
    least_bytes: int


class Caller:
    """One connection that is used again and again."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._socket: socket.socket | None = None
        self._buffer = bytearray(_CHUNK_BYTES)

    def call(self, number: int) -> str:
        """Make one call; return "" or what went wrong."""
        try:
            connection = self._connect()
            connection.sendall(self._request(number))
            status, length = self._read(connection)
        except (OSError, ValueError) as error:
            self.close()
            return f"{type(error).__name__}: {error}"
        if status != 200:
            return f"status {status}"
        return "" if length >= self._job.least_bytes else f"only {length} bytes"

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._job.port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(self._job.timeout_s)
        return self._socket

    def _request(self, number: int) -> bytes:
        prompt = f"{self._job.body['prompt']} number {number}"
        body = orjson.dumps({**self._job.body, "prompt": prompt})
        return (
            f"POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1:{self._job.port}\r\n"
            f"Authorization: Bearer {self._job.api_key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode("ascii") + body

    def _read(self, connection: socket.socket) -> tuple[int, int]:
        """Read one answer to its end; return its status and its body's length."""
        head = b""
        while (end := head.find(b"\r\n\r\n")) < 0:
            data = connection.recv(_HEAD_BYTES)
            if not data:
                raise ConnectionResetError("closed before the answer")
            head += data
        fields = head[:end].split(b"\r\n")
        status = int(fields[0].split()[1])
        length = -1
        for field in fields[1:]:
            name, _, value = field.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length < 0:
            raise ValueError("no Content-Length")
        left = length - (len(head) - end - 4)
        while left > 0:
            received = connection.recv_into(self._buffer, min(left, len(self._buffer)))
            if not received:
                raise ConnectionResetError("closed within the body")
            left -= received
        return status, length


def run(job: Job) -> dict[str, object]:
    """Make all calls; return latencies in milliseconds, errors by kind, and the time taken."""
    latencies: list[float] = []
    errors: Counter[str] = Counter()
    numbers: Iterator[int] = iter(range(job.requests))
    unique = itertools.count(time.time_ns())

    def work() -> None:
        caller = Caller(job)
        for _ in numbers:
            began = time.perf_counter()
            error = caller.call(next(unique))
            if error:
                errors[error] += 1
            else:
                latencies.append((time.perf_counter() - began) * 1000)
        caller.close()

    pool = Pool(job.concurrency)
    began = time.perf_counter()
    cpu_began = time.process_time()
    for _ in range(job.concurrency):
        pool.spawn(work)
    pool.join()
    return {
        "latencies_ms": latencies,
        "errors": dict(errors),
        "seconds": time.perf_counter() - began,
        "cpu_ms": (time.process_time() - cpu_began) * 1000,
    }


def main() -> None:
    """Run the job given on the command line."""
    raise_file_limit()
    gevent.get_hub()
    job = Job(**orjson.loads(sys.argv[1]))
    print(orjson.dumps(run(job)).decode())


if __name__ == "__main__":
    main()
