"""How well the providers serve: aggregates over all organizations, never a row of one of them.

Made of real calls of the last day; what the sandbox drew says nothing of a provider. A call that
was refused or rejected counts neither for nor against its provider, and neither does one whose
outcome was lost with its worker, or whose images could not be stored.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.db import connection

from gateway.catalog.registry import catalog
from gateway.catalog.types import Model
from gateway.models import Breaker, Pause

PERIOD: Final = timedelta(hours=24)
# A busy provider's newest calls say enough, and reading them stays cheap.
SAMPLE: Final = 2_000
REFRESH_S: Final = 15.0
# From so many successful calls on, a model's expected durations are measured ones.
ENOUGH_CALLS: Final = 100

# Bare and namespaced ids of a model are one here, by its key. Grouped by (1) provider, (2) model,
# (3) model and route, told apart by `grouping`.
_STATISTICS: Final = """
WITH call AS (
    SELECT provider, upstream_model, public.key AS model_key, attempt.finished_at, outcome,
        error_code, seconds
    FROM unnest(%(providers)s::text[]) AS listed (name)
    CROSS JOIN LATERAL (
        SELECT provider, upstream_model, generation_id, finished_at,
            extract(epoch FROM finished_at - started_at)::float8 AS seconds,
            CASE
                WHEN status = 'succeeded' THEN 'success'
                WHEN status = 'refused'
                    OR error_kind IN ('ContentRefused', 'ProviderRejected', 'NotStoredError')
                    OR (status = 'unknown' AND error_kind = '') THEN 'neutral'
                ELSE 'failure'
            END AS outcome,
            coalesce(nullif(error_code, ''), status) AS error_code
        FROM gateway_attempt
        WHERE provider = listed.name AND NOT is_sandboxed AND finished_at > %(since)s
        ORDER BY finished_at DESC
        LIMIT %(sample)s
    ) AS attempt
    JOIN gateway_generation AS generation ON generation.id = attempt.generation_id
    LEFT JOIN unnest(%(ids)s::text[], %(keys)s::text[]) AS public (id, key)
        ON public.id = generation.model
)
SELECT grouping(provider, model_key, upstream_model), provider, model_key, upstream_model,
    count(*),
    count(*) FILTER (WHERE outcome = 'success'),
    count(*) FILTER (WHERE outcome = 'failure'),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE outcome = 'success'),
    percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE outcome = 'success'),
    max(finished_at) FILTER (WHERE outcome = 'failure'),
    (array_agg(error_code ORDER BY finished_at DESC) FILTER (WHERE outcome = 'failure'))[1]
FROM call
GROUP BY GROUPING SETS ((provider), (model_key), (provider, model_key, upstream_model))
"""
_OF_PROVIDER, _OF_MODEL, _OF_ROUTE = 0b011, 0b101, 0b000

_WORK: Final = """
SELECT queue, status, count(*), sum(calls)
FROM gateway_generation
WHERE status IN ('queued', 'running') AND queue = ANY(%s::text[])
GROUP BY queue, status
"""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What became of calls. Durations are of successful ones, in seconds.

    Attributes:
        success_rate: Successes among the calls that count; None where none does.
        last_failure: The upstream's word for it, or ours.
    """

    calls: int = 0
    successes: int = 0
    success_rate: float | None = None
    p50_s: float | None = None
    p95_s: float | None = None
    last_failure_at: datetime | None = None
    last_failure: str | None = None


NO_CALLS: Final = Statistics()


@dataclass(frozen=True, slots=True)
class RouteHealth:
    """A model on one route. `model` is the key that its ids share."""

    model: str
    provider: str
    upstream_model: str
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class BreakerView:
    """An open breaker."""

    reason: str
    opened_at: datetime
    retry_at: datetime
    failures: int
    calls: int
    probes: int


@dataclass(frozen=True, slots=True)
class PauseView:
    """An operator's pause."""

    reason: str
    paused_by: str
    paused_at: datetime


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """One provider now.

    Attributes:
        breaker: None while closed.
        pause: Set while an operator keeps calls away.
        running: Generations that have its calls in flight now.
        calls_in_flight: What these count against the limit.
        limit: Most calls at the same time; None for no limit.
    """

    provider: str
    statistics: Statistics
    breaker: BreakerView | None
    pause: PauseView | None
    running: int
    calls_in_flight: int
    queued: int
    limit: int | None
    routes: tuple[RouteHealth, ...]


@dataclass(slots=True)
class Measured:
    """The statistics of a period, by what they are about."""

    providers: dict[str, Statistics] = field(default_factory=dict)
    models: dict[str, Statistics] = field(default_factory=dict)
    routes: dict[tuple[str, str, str], Statistics] = field(default_factory=dict)

    def of_route(self, model: Model, provider: str, upstream_model: str) -> Statistics:
        """Return the statistics of a model on a route."""
        return self.routes.get((model.key, provider, upstream_model), NO_CALLS)

    def latency_of(self, model: Model) -> tuple[float, float]:
        """Return p50 and p95 of a model's calls: expected ones, until enough are measured."""
        measured = self.models.get(model.key, NO_CALLS)
        if measured.successes < ENOUGH_CALLS or measured.p50_s is None or measured.p95_s is None:
            return model.p50_s, model.p95_s
        return measured.p50_s, measured.p95_s


def measure(*, now: datetime, sample: int | None = SAMPLE, period: timedelta = PERIOD) -> Measured:
    """Read the statistics of a period, the last day unless told otherwise, in one query.

    Args:
        now: The end of the period.
        sample: How many of a provider's newest calls are read at most; None reads them all.
        period: How long it is.
    """
    models = catalog().models()
    with connection.cursor() as cursor:
        cursor.execute(
            _STATISTICS,
            {
                "providers": list(settings.PROVIDER_ENDPOINTS),
                "since": now - period,
                "sample": sample,
                "ids": [model.id for model in models],
                "keys": [model.key for model in models],
            },
        )
        rows = cursor.fetchall()
    measured = Measured()
    for group, provider, model_key, upstream_model, *values in rows:
        statistics = _statistics(*values)
        if group == _OF_PROVIDER:
            measured.providers[provider] = statistics
        elif group == _OF_MODEL and model_key is not None:
            measured.models[model_key] = statistics
        elif group == _OF_ROUTE and model_key is not None:
            measured.routes[model_key, provider, upstream_model] = statistics
    return measured


def provider_health(*, configured: Collection[str], now: datetime) -> list[ProviderHealth]:
    """Return the state of providers, with all calls of the last day. Four queries.

    Of those that are configured here, and those that were called: the processes that call may have
    keys which this one lacks.
    """
    measured = measure(now=now, sample=None)
    pauses = {
        row.provider: PauseView(row.reason, row.paused_by, row.paused_at)
        for row in Pause.objects.all()
    }
    providers = {*configured, *measured.providers, *pauses}
    breakers = {row.provider: row for row in Breaker.objects.filter(is_open=True)}
    work = _work(providers)
    return [
        ProviderHealth(
            provider=provider,
            statistics=measured.providers.get(provider, NO_CALLS),
            breaker=_breaker_view(breakers.get(provider)),
            pause=pauses.get(provider),
            running=work.get((provider, "running"), (0, 0))[0],
            calls_in_flight=work.get((provider, "running"), (0, 0))[1],
            queued=work.get((provider, "queued"), (0, 0))[0],
            limit=settings.PROVIDER_LIMITS.get(provider),
            routes=tuple(
                RouteHealth(model, provider, upstream_model, statistics)
                for (model, of, upstream_model), statistics in sorted(measured.routes.items())
                if of == provider
            ),
        )
        for provider in sorted(providers)
    ]


class Recent:
    """The statistics as this process last read them, at most 15 s ago."""

    def __init__(self) -> None:
        self._measured = Measured()
        self._measured_at = float("-inf")

    def measured(self, now: datetime) -> Measured:
        """Return the statistics; whoever asks while they are read gets those from before."""
        if time.monotonic() - self._measured_at >= REFRESH_S:
            self._measured_at = time.monotonic()
            self._measured = measure(now=now)
        return self._measured

    def forget(self) -> None:
        """Read anew for whoever asks next."""
        self._measured_at = float("-inf")


@cache
def recent() -> Recent:
    """Return this process's statistics."""
    return Recent()


def _statistics(
    calls: int,
    successes: int,
    failures: int,
    p50_s: float | None,
    p95_s: float | None,
    last_failure_at: datetime | None,
    last_failure: str | None,
) -> Statistics:
    judged = successes + failures
    return Statistics(
        calls=calls,
        successes=successes,
        success_rate=round(successes / judged, 4) if judged else None,
        p50_s=None if p50_s is None else round(p50_s, 1),
        p95_s=None if p95_s is None else round(p95_s, 1),
        last_failure_at=last_failure_at,
        last_failure=last_failure,
    )


def _breaker_view(row: Breaker | None) -> BreakerView | None:
    if row is None:
        return None
    return BreakerView(
        reason=row.reason,
        opened_at=row.opened_at,
        retry_at=row.retry_at,
        failures=row.failures,
        calls=row.calls,
        probes=row.probes,
    )


def _work(queues: Collection[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return how many generations are queued and running per queue, and their calls."""
    with connection.cursor() as cursor:
        cursor.execute(_WORK, [list(queues)])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return {(queue, status): (count, calls) for queue, status, count, calls in rows}
