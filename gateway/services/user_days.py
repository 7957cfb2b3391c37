"""What each user was charged by day, with a limit: an application may name a user per request.

A user is admitted to a day or not when the first of its charges in it is counted. A day never gets
fewer users, so whoever comes later is counted wholly with the others: what a day says of a user is
all they were charged in it.
"""

from typing import Any, Final
from uuid import UUID

from django.db.backends.utils import CursorWrapper

MOST_USERS: Final = 5000
"""So many users of a day are named."""

_COLUMNS: Final = 'organization_id, starts_at, is_others, "user", currency, count, images, micros'
# The limit makes Postgres look each user up, however large the table is.
_COUNT: Final = f"""
WITH added AS (
    SELECT organization_id, to_timestamp(own.day) AS starts_at, "user", currency, min(id) AS first,
        sum(count) AS count, sum(images) AS images, sum(micros) AS micros
    FROM gateway_fact JOIN unnest(%(ids)s::bigint[], %(days)s::bigint[]) AS own (id, day) USING (id)
    WHERE kind = 'charged'
    GROUP BY 1, 2, 3, 4
), filled AS (
    SELECT day.organization_id, day.starts_at, (
        SELECT count(*) FROM gateway_userday AS kept
        WHERE kept.organization_id = day.organization_id AND kept.starts_at = day.starts_at
            AND NOT kept.is_others
    ) AS users
    FROM (SELECT DISTINCT organization_id, starts_at FROM added) AS day
), placed AS (
    SELECT added.*, kept.is_named IS NULL AND users + count(*) FILTER (WHERE kept.is_named IS NULL)
        OVER (PARTITION BY organization_id, starts_at ORDER BY first) > %(most)s AS is_others
    FROM added
    JOIN filled USING (organization_id, starts_at)
    LEFT JOIN LATERAL (
        SELECT true AS is_named FROM gateway_userday AS day
        WHERE day.organization_id = added.organization_id AND day.starts_at = added.starts_at
            AND NOT day.is_others AND day."user" = added."user" AND day.currency = added.currency
        LIMIT 1
    ) AS kept ON true
)
INSERT INTO gateway_userday AS kept ({_COLUMNS})
SELECT organization_id, starts_at, is_others, CASE WHEN is_others THEN '' ELSE "user" END,
    currency, sum(count), sum(images), sum(micros)
FROM placed
GROUP BY 1, 2, 3, 4, 5
ON CONFLICT (organization_id, starts_at, is_others, "user", currency)
DO UPDATE SET count = kept.count + EXCLUDED.count, images = kept.images + EXCLUDED.images,
    micros = kept.micros + EXCLUDED.micros
"""  # noqa: S608 - made of constants
_OF_QUARTERS: Final = """
SELECT organization_id, to_timestamp(own.day) AS starts_at, "user", currency,
    min(quarter.starts_at) AS first, sum(count) AS count, sum(images) AS images,
    sum(micros) AS micros
FROM gateway_rollup AS quarter
JOIN unnest(%(owners)s::uuid[], %(starts)s::bigint[], %(days)s::bigint[])
    AS own (owner, starts, day)
    ON own.owner = quarter.organization_id AND to_timestamp(own.starts) = quarter.starts_at
WHERE quarter.grain = 'quarter' AND quarter.kind = 'charged_user'
GROUP BY 1, 2, 3, 4
"""
_ADD: Final = f"""
INSERT INTO gateway_userday ({_COLUMNS})
SELECT organization_id, starts_at, is_others, CASE WHEN is_others THEN '' ELSE "user" END,
    currency, sum(count), sum(images), sum(micros)
FROM (
    SELECT own.*, %(most)s < row_number() OVER (
        PARTITION BY organization_id, starts_at ORDER BY first, "user", currency
    ) AS is_others
    FROM ({_OF_QUARTERS}) AS own
) AS placed
GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608 - made of constants
_FORGET: Final = "DELETE FROM gateway_userday WHERE organization_id = ANY(%(whose)s)"
# Who is not named is one of the others, but only of a day that names as many as it may.
_DUE: Final = f"""
SELECT due.organization_id, due.starts_at,
    kept."user" IS NULL AND coalesce(users, 0) >= %(most)s AS is_others,
    CASE WHEN kept."user" IS NULL AND coalesce(users, 0) >= %(most)s THEN ''
        ELSE due."user" END AS "user",
    due.currency, sum(due.count) AS count, sum(due.images) AS images, sum(due.micros) AS micros
FROM ({_OF_QUARTERS}) AS due
LEFT JOIN (SELECT * FROM gateway_userday WHERE NOT is_others) AS kept
    USING (organization_id, starts_at, "user", currency)
LEFT JOIN (
    SELECT organization_id, starts_at, count(*) AS users FROM gateway_userday
    WHERE NOT is_others GROUP BY 1, 2
) AS filled USING (organization_id, starts_at)
GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608 - made of constants
_DIFFERENCES: Final = f"""
SELECT organization_id, 'charged_user', starts_at, CASE WHEN is_others THEN 'others' ELSE '' END,
    coalesce(said.count, 0), coalesce(said.images, 0), coalesce(said.micros, 0),
    coalesce(due.count, 0), coalesce(due.images, 0), coalesce(due.micros, 0)
FROM (SELECT * FROM gateway_userday WHERE organization_id = ANY(%(whose)s)) AS said
FULL JOIN ({_DUE}) AS due USING (organization_id, starts_at, is_others, "user", currency)
WHERE (coalesce(said.count, 0), coalesce(said.images, 0), coalesce(said.micros, 0))
    <> (coalesce(due.count, 0), coalesce(due.images, 0), coalesce(due.micros, 0))
ORDER BY 1, 3, 4
"""  # noqa: S608 - made of constants


def count_users(cursor: CursorWrapper, fact_ids: list[int], days: list[int]) -> None:
    """Add what facts charge to their user days, before they are deleted.

    Args:
        cursor: In the transaction that counts them.
        fact_ids: The facts.
        days: When the day of each begins, in Unix seconds.
    """
    cursor.execute(_COUNT, {"ids": fact_ids, "days": days, "most": MOST_USERS})


def make_user_days(cursor: CursorWrapper, owners: list[UUID], arrays: list[list[Any]]) -> None:
    """Make the user days of organizations anew from their quarters.

    Args:
        cursor: In the transaction that counts.
        owners: The organizations.
        arrays: As `rollups.day_arrays` returns them.
    """
    params = _params(owners, arrays)
    cursor.execute(_FORGET, params)
    cursor.execute(_ADD, params)


def user_day_differences(
    cursor: CursorWrapper, owners: list[UUID], arrays: list[list[Any]]
) -> list[tuple[Any, ...]]:
    """Return user days unlike their quarters, as `rollup_checks` tells of differences.

    Args:
        cursor: In a snapshot.
        owners: The organizations.
        arrays: As `rollups.day_arrays` returns them.
    """
    cursor.execute(_DIFFERENCES, _params(owners, arrays))
    found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _params(owners: list[UUID], arrays: list[list[Any]]) -> dict[str, Any]:
    of_quarters = dict(zip(("owners", "starts", "days"), arrays, strict=True))
    return {**of_quarters, "whose": owners, "most": MOST_USERS}
