"""Adding revenue, spread and cost up by day, organization, model and provider, as ADR 14 says.

In every snapshot the margin days plus the facts that are left are all postings of these accounts.
"""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.services.reports.counting import count_facts, rebuild_sums
from billing.types import Finding
from gateway.selectors.reports.margin_sql import COUNTED, POSTED, RESOLVED
from gateway.selectors.rollups import NO_KEY

# Any fixed number: "lienzo marg" in ASCII, cut to 63 bits.
ADVISORY_LOCK: Final = 0x6C69656E7A6F6D61
BATCH: Final = 5000

_COLUMNS: Final = "(day, organization_id, model, provider, code, currency, micros, images, lines)"
_SLICE_COLUMNS: Final = f"(slice, {_COLUMNS[1:]}"
_SUMS: Final = """
SELECT day, organization_id, model, provider, code, currency, sum(micros) AS micros,
    sum(images) AS images, sum(lines) AS lines
FROM ({rows}) AS counted GROUP BY 1, 2, 3, 4, 5, 6
"""
_SLICES: Final = f"""
SELECT slice, day, CASE slice WHEN 'models' THEN '{NO_KEY}' ELSE organization_id END,
    CASE slice WHEN 'models' THEN model ELSE '' END,
    CASE slice WHEN 'models' THEN provider ELSE '' END,
    code, currency, sum(micros), sum(images), sum(lines)
FROM ({{rows}}) AS counted, unnest(ARRAY['models', 'organizations']) AS slice
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""  # noqa: S608 - made of constants
_ADDED: Final = """
DO UPDATE SET micros = kept.micros + EXCLUDED.micros, images = kept.images + EXCLUDED.images,
    lines = kept.lines + EXCLUDED.lines
"""
_KEYS: Final = "day, organization_id, model, provider, code, currency"
# The oldest first, so that what waits is always the youngest.
_COUNT: Final = f"""
WITH taken AS (
    DELETE FROM gateway_marginfact
    WHERE id IN (SELECT id FROM gateway_marginfact ORDER BY id LIMIT %s)
    RETURNING *
), own AS MATERIALIZED ({_SUMS.format(rows=RESOLVED.format(parts="SELECT * FROM taken"))}
), added AS (
    INSERT INTO gateway_marginday AS kept {_COLUMNS} SELECT * FROM own
    ON CONFLICT ({_KEYS}) {_ADDED}
), summed AS (
    INSERT INTO gateway_marginsum AS kept {_SLICE_COLUMNS}
    {_SLICES.format(rows="SELECT * FROM own")}
    ON CONFLICT (slice, {_KEYS}) {_ADDED}
)
SELECT count(*) FROM taken
"""  # noqa: S608 - made of constants
_SLICES_OF_DAYS: Final = _SLICES.format(rows="SELECT * FROM gateway_marginday")
_REBUILD: Final = (
    "DELETE FROM gateway_marginday",
    "DELETE FROM gateway_marginfact",
    f"INSERT INTO gateway_marginday {_COLUMNS} {_SUMS.format(rows=RESOLVED.format(parts=POSTED))}",
    "DELETE FROM gateway_marginsum",
    f"INSERT INTO gateway_marginsum {_SLICE_COLUMNS} {_SLICES_OF_DAYS}",
)
_SIDE: Final = f"""
SELECT {_KEYS}, sum(micros) AS micros, sum(images) AS images, sum(lines) AS lines
FROM ({{rows}}) AS side
WHERE %(organization_id)s::uuid IS NULL OR organization_id = %(organization_id)s
GROUP BY {_KEYS}
"""  # noqa: S608 - made of constants
_DIFFERENCES: Final = f"""
SELECT {_KEYS}, coalesce(said.micros, 0), coalesce(due.micros, 0)
FROM ({_SIDE.format(rows=COUNTED)}) AS said
FULL JOIN ({_SIDE.format(rows=RESOLVED.format(parts=POSTED))}) AS due USING ({_KEYS})
WHERE (coalesce(said.micros, 0), coalesce(said.images, 0), coalesce(said.lines, 0))
    <> (coalesce(due.micros, 0), coalesce(due.images, 0), coalesce(due.lines, 0))
ORDER BY {_KEYS}
"""  # noqa: S608 - made of constants
_SLICE_DIFFERENCES: Final = f"""
SELECT slice, {_KEYS}, coalesce(said.micros, 0), coalesce(due.micros, 0)
FROM gateway_marginsum AS said
FULL JOIN ({_SLICES_OF_DAYS}) AS due (
    slice, {_KEYS}, micros, images, lines
) USING (slice, {_KEYS})
WHERE (coalesce(said.micros, 0), coalesce(said.images, 0), coalesce(said.lines, 0))
    <> (coalesce(due.micros, 0), coalesce(due.images, 0), coalesce(due.lines, 0))
    AND (%(organization_id)s::uuid IS NULL OR organization_id = %(organization_id)s)
ORDER BY slice, {_KEYS}
"""  # noqa: S608 - made of constants


def count_margins(*, limit: int = BATCH) -> int:
    """Count the oldest facts, as `count_facts` does; return how many."""
    return count_facts(_COUNT, limit=limit, lock=ADVISORY_LOCK)


def rebuild_margin_days() -> None:
    """Make all margin days anew, as `rebuild_sums` does."""
    rebuild_sums(_REBUILD, lock=ADVISORY_LOCK)


def check_margin_days(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield margin days unlike the postings in them, else their sums. Call it in a snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"organization_id": organization_id})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    if not rows:
        yield from _check_sums(organization_id)
    for day, owner, model, provider, code, currency, said, due in rows:
        yield Finding(
            "rollup",
            "gateway_marginday",
            str(owner),
            f"{code} {currency} of {model or 'no model'} by {provider or 'no provider'} on {day}:"
            f" {said} micros counted, its postings say {due}",
        )


def _check_sums(organization_id: UUID | None) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_SLICE_DIFFERENCES, {"organization_id": organization_id})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    for slice_, day, owner, model, provider, code, currency, said, due in rows:
        yield Finding(
            "rollup",
            "gateway_marginsum",
            str(owner),
            f"{code} {currency} of {slice_} {model} {provider} on {day}: {said} micros summed up,"
            f" its days say {due}",
        )
