"""Checking that rollups and facts say what generations, holds and attempts say."""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.types import Finding
from gateway.services.rollups import DAYS, SOURCES, day_arrays
from gateway.services.user_days import user_day_differences

_COUNTED: Final = """
    SELECT organization_id, kind, starts_at, model, api_key_id, currency, label, "user", count,
        images, micros
    FROM gateway_rollup WHERE grain = 'quarter' AND livemode AND {whose}
"""
_LEFT: Final = """
    SELECT organization_id, extra, date_bin('15 minutes', at, 'epoch'), model, api_key_id, currency,
        label, CASE extra WHEN 'charged_user' THEN "user" ELSE '' END, count, images, micros
    FROM gateway_fact,
        unnest(CASE kind WHEN 'charged' THEN ARRAY[kind, 'charged_user'] ELSE ARRAY[kind] END)
            AS extra
    WHERE livemode AND {whose}
"""
_DIFFERENCES: Final = """
SELECT organization_id, kind, starts_at, model,
    coalesce(said.count, 0), coalesce(said.images, 0), coalesce(said.micros, 0),
    coalesce(due.count, 0), coalesce(due.images, 0), coalesce(due.micros, 0)
FROM ({said}) AS said
FULL JOIN ({due}) AS due USING (
    organization_id, kind, starts_at, model, api_key_id, currency, label, "user" {also}
)
WHERE (coalesce(said.count, 0), coalesce(said.images, 0), coalesce(said.micros, 0))
    <> (coalesce(due.count, 0), coalesce(due.images, 0), coalesce(due.micros, 0))
ORDER BY 1, 2, 3, 4
"""
_SUM: Final = """
    SELECT organization_id, kind, {starts_at} AS starts_at, model, api_key_id, currency, label,
        "user", sum(count) AS count, sum(images) AS images, sum(micros) AS micros
    FROM ({rows}) AS counted
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
_QUARTERS: Final = _DIFFERENCES.format(
    said=_SUM.format(starts_at="starts_at", rows=f"{_COUNTED} UNION ALL {_LEFT}"),
    due=_SUM.format(starts_at="date_bin('15 minutes', at, 'epoch')", rows=SOURCES),
    also="",
)
# Also of test keys, whose sources are deleted: days are what their quarters sum to.
_DAYS: Final = _DIFFERENCES.format(
    said="SELECT * FROM gateway_rollup WHERE grain = 'day' AND organization_id = ANY(%s)",
    due=DAYS,
    also=", livemode",
)
_OWNERS: Final = "SELECT organization_id FROM gateway_rollupzone WHERE {whose}"


def check_rollups(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield quarters unlike the captures, endings and costs in them, and days unlike quarters.

    Of days those by user, too.

    Call it in a snapshot.
    """
    whose = "organization_id = %(organization_id)s" if organization_id else "true"
    params = {"organization_id": organization_id}
    with connection.cursor() as cursor:
        cursor.execute(_QUARTERS.format(whose=whose), params)
        yield from map(_finding, cursor.fetchall())
        cursor.execute(_OWNERS.format(whose=whose), params)
        owners = [row[0] for row in cursor]
        arrays = day_arrays(cursor, owners)
        cursor.execute(_DAYS, [owners, *arrays])
        yield from map(_finding, cursor.fetchall())
        yield from map(_finding, user_day_differences(cursor, owners, arrays))


def _finding(row: tuple[Any, ...]) -> Finding:
    owner, kind, starts_at, model, *figures = row
    says, due = figures[:3], figures[3:]
    return Finding(
        "rollup",
        "gateway_rollup",
        str(owner),
        f"{kind} {model} from {starts_at.isoformat()}: {_figures(says)} counted, its rows say"
        f" {_figures(due)}",
    )


def _figures(figures: Sequence[int]) -> str:
    count, images, micros = figures
    return f"{count} with {images} images and {micros} micros"
