"""Which rate of a pair is in force.

The newest manual rate that has begun, until its end; else the newest rate of the first source that
the pair follows whose newest is not stale; else a sample. A source's rate that is stale is found
too, if there is nothing better, so that it can be named when it is refused.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson
from django.conf import settings
from django.db import connection

from billing.models.rates import MANUAL
from billing.sources.calendars import age_days, oldest_fresh

SAMPLE: Final = "sample"
UNDATED_SOURCES: Final = (MANUAL, SAMPLE)
"""Sources whose rates hold until they end or are replaced, however old."""

RATE_IN_FORCE: Final = """
SELECT newest.id, newest.rate, newest.source, newest.as_of
FROM jsonb_array_elements_text(
    coalesce(
        %(fx_sources)s::jsonb -> ({base} || '/' || {quote}), %(fx_sources)s::jsonb -> '*'
    )
) WITH ORDINALITY AS wanted (source, place)
CROSS JOIN LATERAL (
    SELECT id, rate, source, as_of, valid_until
    FROM billing_fxrate
    WHERE base = {base} AND quote = {quote} AND source = wanted.source AND as_of <= {now}
    ORDER BY as_of DESC, id DESC
    LIMIT 1
) AS newest
WHERE newest.valid_until IS NULL OR newest.valid_until > {now}
ORDER BY
    coalesce(newest.as_of < (%(fx_oldest)s::jsonb ->> newest.source)::timestamptz, false),
    wanted.place
LIMIT 1
"""
"""A subquery of at most one row; `{base}`, `{quote}` and `{now}` are its expressions.

The index is probed once for each source, whatever number of rates there is.
"""

_PAIRS: Final = f"""
SELECT pair.base, pair.quote, rate.*
FROM unnest(%(bases)s::text[], %(quotes)s::text[]) AS pair (base, quote)
CROSS JOIN LATERAL ({
    RATE_IN_FORCE.format(base="pair.base", quote="pair.quote", now="%(now)s::timestamptz")
}) AS rate
"""  # noqa: S608 - constants of this module

Pair = tuple[str, str]


class RateInForce(NamedTuple):
    """A rate, who published it, and for when.

    `age_days` counts days on which the source publishes; None where a rate does not age. One that
    is stale is too old to charge by.
    """

    id: int
    rate: Decimal
    source: str
    as_of: datetime
    age_days: int | None
    is_stale: bool


def followed_sources(pair: str) -> list[str]:
    """Return the sources that a pair such as `USD/MXN` follows, in their order."""
    sources: dict[str, list[str]] = settings.FX_SOURCES
    return sources.get(pair, sources["*"])


def rate_params(*, now: datetime) -> dict[str, str]:
    """Return the parameters of `RATE_IN_FORCE`: whose rates a pair follows, and their limits."""
    sources: dict[str, list[str]] = settings.FX_SOURCES
    wanted = {pair: [MANUAL, *names, SAMPLE] for pair, names in sources.items()}
    oldest = {
        name: oldest_fresh(name, now=now, days=settings.FX_MAX_AGE_DAYS)
        for name in {name for names in sources.values() for name in names}
    }
    return {"fx_sources": orjson.dumps(wanted).decode(), "fx_oldest": orjson.dumps(oldest).decode()}


def is_stale(source: str, *, as_of: datetime, now: datetime) -> bool:
    """Return whether a rate is too old to charge by."""
    if source in UNDATED_SOURCES:
        return False
    return as_of < oldest_fresh(source, now=now, days=settings.FX_MAX_AGE_DAYS)


def rates_in_force(*, pairs: list[Pair], at: datetime) -> dict[Pair, RateInForce]:
    """Return the rate of each pair that has one, stale or not. One query."""
    params: dict[str, Any] = {
        "bases": [base for base, _ in pairs],
        "quotes": [quote for _, quote in pairs],
        "now": at,
        **rate_params(now=at),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, params)
        rows = cursor.fetchall()
    return {
        (base, quote): RateInForce(
            rate_id,
            rate,
            source,
            as_of,
            None if source in UNDATED_SOURCES else age_days(source, as_of=as_of, now=at),
            is_stale(source, as_of=as_of, now=at),
        )
        for base, quote, rate_id, rate, source, as_of in rows
    }
