"""Gauges of the platform's rows: queues, breakers, findings, processes, checks, today's money.

Each query reads what is open, or one day's sums; none grows with what there ever was.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import connection

from core.metrics.gauges import Gauges

# `gateway.services.processes.LEASE_S`
_LEASE: Final = timedelta(seconds=20)
# `gateway.services.operations.checks.RUN_LEASE`
_RUN_LEASE: Final = timedelta(minutes=30)
_QUEUES: Final = """
SELECT queue, count(*) FILTER (WHERE status = 'queued'),
    coalesce(extract(epoch FROM %(now)s - min(created_at) FILTER (WHERE status = 'queued')), 0),
    count(*) FILTER (WHERE status = 'running'),
    coalesce(sum(calls) FILTER (WHERE status = 'running'), 0),
    coalesce(max(calls) FILTER (WHERE status = 'queued'), 0)
FROM gateway_generation
WHERE status IN ('queued', 'running')
GROUP BY queue
"""
_KEPT_AWAY: Final = """
SELECT provider, 'lienzo_breaker_open' FROM gateway_breaker WHERE is_open
UNION ALL
SELECT provider, 'lienzo_provider_paused' FROM gateway_pause
"""
_FINDINGS: Final = """
SELECT kind, severity, count(*) FILTER (WHERE acknowledged_at IS NULL), count(*)
FROM gateway_finding WHERE resolved_at IS NULL GROUP BY kind, severity
"""
_PROCESSES: Final = """
SELECT kind, count(*) FROM gateway_process
WHERE ended_at IS NULL AND heartbeat_at > %(now)s - %(lease)s GROUP BY kind
"""
# A check that broke off has not told anything, however long ago, nor has one that has died and
# never ended before: its age has no bound. Of others it is that of the last whole run.
_CHECKS: Final = """
SELECT name, CASE
    WHEN error <> '' OR finished_at IS NULL AND beat_at < %(now)s - %(run_lease)s
    THEN 'Infinity'::numeric
    ELSE extract(epoch FROM %(now)s - coalesce(finished_at, started_at)) END
FROM gateway_check WHERE started_at IS NOT NULL
"""
_MONEY: Final = """
SELECT code, provider, currency, sum(micros) FROM gateway_marginsum
WHERE slice = 'models' AND day = %(today)s AND code IN ('revenue', 'provider_cost')
GROUP BY code, provider, currency
"""
_CONNECTIONS: Final = """
SELECT count(*), current_setting('max_connections')::integer
FROM pg_stat_activity WHERE datname = current_database()
"""
_AGES: Final = {
    "sweeper": "lienzo_sweeper_pass_age_seconds",
    "ledger": "lienzo_ledger_check_age_seconds",
    "backup": "lienzo_backup_age_seconds",
    "tasks": "lienzo_tasks_age_seconds",
}
# Sums that differ from the books are a finding alone: they are made anew, and no money is wrong.
_VIOLATION: Final = "ledger.violation"

Values = dict[tuple[str, ...], int | Decimal]


def read_gauges(
    *, queues: Collection[str], findings: Collection[tuple[str, str]], now: datetime
) -> Gauges:
    """Return the gauges. Seven queries.

    Args:
        queues: Those that are shown without work, too.
        findings: Kinds with their severities, shown without any, too.
        now: The instant.
    """
    return {
        **_queues(queues, now),
        **_kept_away(queues),
        **_findings(findings),
        "lienzo_processes": {("web",): 0, ("worker",): 0}
        | {(kind,): count for kind, count in _rows(_PROCESSES, now=now, lease=_LEASE)},
        **_check_ages(now),
        **_money(now),
        **_connections(),
    }


def _rows(query: str, **params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - as psycopg takes
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _queues(queues: Collection[str], now: datetime) -> Gauges:
    found: dict[str, Values] = {
        name: {(queue,): 0 for queue in queues}
        for name in (
            "lienzo_queue_length",
            "lienzo_queue_age_seconds",
            "lienzo_running",
            "lienzo_limit_reached",
        )
    }
    for queue, queued, age_s, running, calls, wanted in _rows(_QUEUES, now=now):
        found["lienzo_queue_length"][queue,] = queued
        found["lienzo_queue_age_seconds"][queue,] = max(age_s, 0)
        found["lienzo_running"][queue,] = running
        limit = settings.PROVIDER_LIMITS.get(queue)
        # As `gateway.services.runs.claims` has it: one that needs more than the limit runs alone.
        is_full = limit is not None and queued and running and calls + wanted > limit
        found["lienzo_limit_reached"][queue,] = int(bool(is_full))
    return {**found}


def _check_ages(now: datetime) -> Gauges:
    rows = _rows(_CHECKS, now=now, run_lease=_RUN_LEASE)
    ages: Gauges = {_AGES[name]: {(): age_s} for name, age_s in rows if name in _AGES}
    # One that never was is told of, too: no worker may have been given that queue.
    return {_AGES["tasks"]: {(): Decimal("Infinity")}, **ages}


def _kept_away(providers: Collection[str]) -> Gauges:
    found: dict[str, Values] = {
        name: {(provider,): 0 for provider in providers}
        for name in ("lienzo_breaker_open", "lienzo_provider_paused")
    }
    for provider, name in _rows(_KEPT_AWAY):
        found[name][provider,] = 1
    return found


def _findings(kinds: Collection[tuple[str, str]]) -> Gauges:
    found: Values = dict.fromkeys(kinds, 0)
    violations = 0
    for kind, severity, fresh, all_open in _rows(_FINDINGS):
        found[kind, severity] = fresh
        violations += all_open if kind == _VIOLATION else 0
    return {"lienzo_findings": found, "lienzo_ledger_violations": {(): violations}}


def _money(now: datetime) -> Gauges:
    costs: Values = {}
    revenue: Values = {}
    for code, provider, currency, micros in _rows(_MONEY, today=now.astimezone(UTC).date()):
        if code == "revenue":
            revenue[currency,] = revenue.get((currency,), 0) + micros
        else:
            costs[provider, currency] = micros
    return {"lienzo_provider_cost_micros": costs, "lienzo_revenue_micros": revenue}


def _connections() -> Gauges:
    [(used, most)] = _rows(_CONNECTIONS)
    return {
        "lienzo_database_connections": {(): used},
        "lienzo_database_max_connections": {(): most},
    }
