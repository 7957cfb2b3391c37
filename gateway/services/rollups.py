"""Adding facts to the rollups, and making rollups anew from what they count.

In every snapshot, what the rollups say plus the facts that are left is what generations, holds and
attempts say: a fact is written in the transaction of what happened, and deleted in the one that
counts it. So no order of commits can lose or double anything, and a reader that adds both in one
statement is exact at every instant.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from gateway.selectors.rollups import NO_KEY
from gateway.services.user_days import count_users, make_user_days

# Any fixed number: "lienzo roll" in ASCII, cut to 63 bits.
ADVISORY_LOCK: Final = 0x6C69656E7A6F726F
BATCH: Final = 5000

_COLUMNS: Final = (
    "organization_id, grain, kind, livemode, starts_at, model, api_key_id, currency, label,"
    ' "user", count, images, micros'
)
_BIN: Final = "date_bin('15 minutes', {at}, 'epoch')"
_QUARTER: Final = _BIN.format(at="at")

_NEXT_FACTS: Final = f"""
SELECT fact.id, fact.organization_id, coalesce(kept.zone, organization.time_zone, 'UTC'),
    extract(epoch FROM {_QUARTER})::bigint
FROM (SELECT id, organization_id, at FROM gateway_fact ORDER BY id LIMIT %s) AS fact
LEFT JOIN gateway_rollupzone AS kept USING (organization_id)
LEFT JOIN orgs_organization AS organization ON organization.id = fact.organization_id
"""  # noqa: S608 - made of constants
_KEEP_ZONES: Final = """
INSERT INTO gateway_rollupzone (organization_id, zone)
SELECT * FROM unnest(%s::uuid[], %s::text[]) ON CONFLICT DO NOTHING
"""
# What was charged is counted twice: without the user, so that many users make no report slow, and
# with the user.
_COUNT: Final = f"""
WITH taken AS (
    DELETE FROM gateway_fact AS fact USING unnest(%s::bigint[], %s::bigint[]) AS own (id, day)
    WHERE fact.id = own.id
    RETURNING fact.*, own.day
), cell AS (
    SELECT organization_id, kind, livemode, at, day, model, api_key_id, currency, label,
        '' AS "user", count, images, micros
    FROM taken
    UNION ALL
    SELECT organization_id, 'charged_user', livemode, at, day, model, api_key_id, currency, label,
        "user", count, images, micros
    FROM taken WHERE kind = 'charged'
)
INSERT INTO gateway_rollup AS kept ({_COLUMNS})
SELECT organization_id, grain, kind, livemode, starts_at, model, api_key_id, currency, label,
    "user", sum(count), sum(images), sum(micros)
FROM cell, LATERAL (
    VALUES ('quarter', {_QUARTER}), ('day', to_timestamp(day))
) AS period (grain, starts_at)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
ON CONFLICT (organization_id, grain, kind, livemode, starts_at, model, api_key_id, currency, label,
    "user")
DO UPDATE SET count = kept.count + EXCLUDED.count, images = kept.images + EXCLUDED.images,
    micros = kept.micros + EXCLUDED.micros
"""  # noqa: S608 - made of constants

_MOVED: Final = """
SELECT kept.organization_id
FROM gateway_rollupzone AS kept
JOIN orgs_organization AS organization ON organization.id = kept.organization_id
WHERE kept.zone <> organization.time_zone
"""
_MOVE: Final = """
UPDATE gateway_rollupzone AS kept SET zone = organization.time_zone
FROM orgs_organization AS organization
WHERE organization.id = kept.organization_id AND kept.organization_id = ANY(%s)
"""
_QUARTERS: Final = """
SELECT DISTINCT quarter.organization_id, kept.zone, extract(epoch FROM quarter.starts_at)::bigint
FROM gateway_rollup AS quarter JOIN gateway_rollupzone AS kept USING (organization_id)
WHERE quarter.organization_id = ANY(%s) AND quarter.grain = 'quarter'
"""
_FORGET_DAYS: Final = """
DELETE FROM gateway_rollup WHERE organization_id = ANY(%s) AND grain = 'day'
"""
DAYS: Final = """
SELECT organization_id, 'day' AS grain, kind, livemode, to_timestamp(own.day) AS starts_at, model,
    api_key_id, currency, label, "user", sum(count) AS count, sum(images) AS images,
    sum(micros) AS micros
FROM gateway_rollup AS quarter
JOIN unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS own (owner, starts, day)
    ON own.owner = quarter.organization_id AND to_timestamp(own.starts) = quarter.starts_at
WHERE quarter.grain = 'quarter'
GROUP BY 1, 3, 4, 5, 6, 7, 8, 9, 10
"""
"""The days of quarters; takes the arrays of `day_arrays`."""
_ADD_DAYS: Final = f"INSERT INTO gateway_rollup ({_COLUMNS}) {DAYS}"

SOURCES: Final = f"""
SELECT organization_id, status AS kind, livemode, finished_at AS at, model,
    coalesce(api_key_id, '{NO_KEY}') AS api_key_id, currency,
    CASE status
        WHEN 'succeeded' THEN gateway_latency_step(created_at, finished_at)::text
        WHEN 'failed' THEN left(coalesce(error ->> 'code', ''), 100)
        ELSE ''
    END AS label, '' AS "user", 1 AS count,
    CASE status
        WHEN 'succeeded'
            THEN coalesce((parameters ->> 'n')::integer, 1) - jsonb_array_length(undelivered)
        ELSE 0
    END AS images, 0 AS micros
FROM gateway_generation
WHERE finished_at IS NOT NULL AND livemode AND {{whose}}
UNION ALL
SELECT hold.organization_id, kind, true, hold.closed_at, coalesce(generation.model, ''),
    coalesce(hold.api_key_id, '{NO_KEY}'), hold.currency, '',
    CASE kind WHEN 'charged_user' THEN coalesce(generation."user", '') ELSE '' END, 1,
    hold.captured_count, hold.captured_micros
FROM (SELECT * FROM billing_hold WHERE status = 'captured' AND {{whose}}) AS hold
LEFT JOIN gateway_generation AS generation ON generation.id::text = hold.reference,
    unnest(ARRAY['charged', 'charged_user']) AS kind
UNION ALL
SELECT organization_id, 'cost', livemode, coalesce(attempt.finished_at, attempt.started_at), model,
    coalesce(api_key_id, '{NO_KEY}'), 'USD', provider, '', 1, 0, cost_micros
FROM gateway_attempt AS attempt
JOIN gateway_generation AS generation ON generation.id = attempt.generation_id
WHERE cost_micros > 0 AND livemode AND {{whose}}
"""  # noqa: S608 - made of constants
"""What happened with money at stake, from the rows that say so; `whose` is a condition.

It says again what the triggers write. Test keys' generations are deleted, so their rollups cannot
be made anew.
"""
_FORGET: Final = (
    "DELETE FROM gateway_rollup WHERE livemode AND {whose}",
    "DELETE FROM gateway_userday WHERE {whose}",
    "DELETE FROM gateway_fact WHERE livemode AND {whose}",
)
_ADD_QUARTERS: Final = f"""
INSERT INTO gateway_rollup ({_COLUMNS})
SELECT organization_id, 'quarter', kind, livemode, {_QUARTER}, model, api_key_id, currency, label,
    "user", sum(count), sum(images), sum(micros)
FROM ({SOURCES}) AS source
GROUP BY 1, 3, 4, 5, 6, 7, 8, 9, 10
"""  # noqa: S608 - made of constants
_WITH_QUARTERS: Final = """
SELECT DISTINCT organization_id FROM gateway_rollup WHERE grain = 'quarter' AND {whose}
"""
_ZONES_OF: Final = """
INSERT INTO gateway_rollupzone (organization_id, zone)
SELECT id, time_zone FROM orgs_organization WHERE id = ANY(%s)
ON CONFLICT (organization_id) DO UPDATE SET zone = EXCLUDED.zone
"""


def roll_up(*, limit: int = BATCH) -> int:
    """Count the oldest facts, at most `limit`; return how many. One transaction.

    Days of organizations that moved to another time zone are made anew first. Does nothing while
    another process counts.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_MOVED)
        moved = [row[0] for row in cursor]
        if moved:
            cursor.execute(_MOVE, [moved])
            _make_days(cursor, moved)
        cursor.execute(_NEXT_FACTS, [limit])
        facts = cursor.fetchall()
        if not facts:
            return 0
        zones = {owner: zone for _, owner, zone, _ in facts}
        cursor.execute(_KEEP_ZONES, [list(zones), list(zones.values())])
        days = _days({(zone, quarter) for _, _, zone, quarter in facts})
        ids = [fact_id for fact_id, *_ in facts]
        starts = [days[zone, quarter] for _, _, zone, quarter in facts]
        count_users(cursor, ids, starts)
        cursor.execute(_COUNT, [ids, starts])
    return len(facts)


def rebuild_rollups(*, organization_id: UUID | None = None) -> None:
    """Make the rollups of live generations anew, of one organization or of all.

    What happens meanwhile is neither lost nor counted twice: its facts are not in this snapshot and
    stay. Holds no locks that others wait for; the sweeper counts again afterwards.
    """
    whose = "organization_id = %(organization_id)s" if organization_id else "true"
    params = {"organization_id": organization_id}
    with _alone(), transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        # A million generations take more than the minute that statements have.
        cursor.execute("SET LOCAL statement_timeout = 0")
        for forget in _FORGET:
            cursor.execute(forget.format(whose=whose), params)
        cursor.execute(_ADD_QUARTERS.format(whose=whose), params)
        cursor.execute(_WITH_QUARTERS.format(whose=whose), params)
        owners = [row[0] for row in cursor]
        cursor.execute(_ZONES_OF, [owners])
        _make_days(cursor, owners)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep the sweeper from counting. Before the snapshot, so that it sees all that was counted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


def _make_days(cursor: CursorWrapper, owners: Collection[UUID]) -> None:
    """Sum the quarters of organizations up to the days of their zones."""
    arrays = day_arrays(cursor, owners)
    cursor.execute(_FORGET_DAYS, [list(owners)])
    cursor.execute(_ADD_DAYS, arrays)
    make_user_days(cursor, list(owners), arrays)


def day_arrays(cursor: CursorWrapper, owners: Collection[UUID]) -> list[list[Any]]:
    """Return organizations, their quarters and the days of these, side by side."""
    cursor.execute(_QUARTERS, [list(owners)])
    quarters = cursor.fetchall()
    days = _days({(zone, quarter) for _, zone, quarter in quarters})
    return [
        [owner for owner, _, _ in quarters],
        [quarter for _, _, quarter in quarters],
        [days[zone, quarter] for _, zone, quarter in quarters],
    ]


def _days(quarters: Collection[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return when the day of each quarter of an hour begins in its zone, in Unix seconds.

    By Python's time zones, as the readers do: Postgres may have others.
    """
    days = {}
    for zone, quarter in quarters:
        place = ZoneInfo(zone)
        date = datetime.fromtimestamp(quarter, UTC).astimezone(place).date()
        days[zone, quarter] = int(datetime.combine(date, time.min, place).timestamp())
    return days
