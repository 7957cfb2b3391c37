"""Requests as the web process gets them, and how long they take."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Sets Django up, which the imports below need.
from config.wsgi import application  # isort: skip

from django.conf import settings
from django.db import connection
from django.test import RequestFactory

WARM_UPS: Final = 3
LEAST_RUNS: Final = 5
MOST_RUNS: Final = 100
MOST_SECONDS: Final = 3.0
PAGE_QUERIES: Final = 12
HEADING: Final = f"{'':<58}{'p50 ms':>8}{'p95 ms':>8}{'queries':>9}{'runs':>6}"
Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Case:
    """Something to time; `goal_ms` is for p95, None where none is set."""

    name: str
    run: Run
    goal_ms: float | None = None
    is_page: bool = False


def request(path: str, *, key: str = "", cookie: str = "") -> Callable[[], int]:
    """Return a request as the web process gets it, from authentication to the last byte."""
    headers = {"accept": "application/json" if key else "text/html"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    if cookie:
        headers["cookie"] = f"{settings.SESSION_COOKIE_NAME}={cookie}"

    def run() -> int:
        statuses: list[str] = []
        environ = RequestFactory(headers=headers).get(path).environ
        answer = application(environ, lambda status, *_: statuses.append(status))  # type: ignore[arg-type] # nobody writes
        size = sum(len(part) for part in answer)
        answer.close()  # type: ignore[attr-defined] # Django's has it
        if not statuses[0].startswith("200"):
            raise SystemExit(f"{path}: {statuses[0]}")
        return size

    return run


def time_case(case: Case) -> str:
    """Run something until it is known how long it takes; return a line that says so."""
    for _ in range(WARM_UPS):
        case.run()
    queries = _queries(case.run)
    times: list[float] = []
    until = time.perf_counter() + MOST_SECONDS
    while len(times) < LEAST_RUNS or (len(times) < MOST_RUNS and time.perf_counter() < until):
        began = time.perf_counter()
        case.run()
        times.append((time.perf_counter() - began) * 1000)
    p95 = statistics.quantiles(times, n=20)[-1]
    line = f"{case.name:<58}{statistics.median(times):>8.1f}{p95:>8.1f}{queries:>9}"
    notes = []
    if case.goal_ms is not None and p95 > case.goal_ms:
        notes.append(f"over {case.goal_ms:.0f} ms")
    if case.is_page and queries > PAGE_QUERIES:
        notes.append(f"over {PAGE_QUERIES} queries")
    return f"{line}{len(times):>6}  {', '.join(notes)}".rstrip()


def _queries(run: Run) -> int:
    """Count the statements of the request's own connection."""
    statements: list[str] = []

    def count(execute: Callable[..., object], sql: str, *rest: object) -> object:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(count):
        run()
    return len(statements)
