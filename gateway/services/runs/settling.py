"""Settling a generation: its images, its attempt, its money and its event end together.

Usually in one statement, which is a transaction of its own: step by step it is seven round trips,
half of what a job spends on Postgres.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import DataError, connection, transaction
from psycopg.errors import DivisionByZero

from billing.errors import LedgerCorruptError
from billing.services.costs import attempt_cost_params
from billing.services.hold_sql import CAPTURE_CTES, PROMO_CAPTURE_CTES
from billing.services.holds import capture_hold, find_open_hold, prepare_capture
from billing.services.ledger import ENTRY_CTES
from core.ids import new_uuid
from gateway.services.runs.attempts import END, EndedAttempt, cost_of, end_params, write_end
from gateway.types import Claim, Delivery, StoredImage
from orgs.services.outbox import EVENT_CTES, EventType

# The compare-and-set comes first: it locks the row, and without it nothing is inserted.
_END_GENERATION: Final = f"""
ended AS (
    UPDATE gateway_generation
    SET status = 'succeeded', finished_at = %(now)s, served_by = %(served_by)s,
        image_adjusted = %(image_adjusted)s, usage = %(usage)s::jsonb,
        undelivered = %(undelivered)s::jsonb,
        charged_micros = CASE WHEN livemode THEN unit_micros * %(count)s::integer ELSE 0 END,
        dropped_parameters = dropped_parameters || coalesce((
            SELECT jsonb_agg(name)
            FROM jsonb_array_elements(%(dropped)s::jsonb) AS dropped (name)
            WHERE NOT dropped_parameters @> name
        ), '[]')
    WHERE id = %(generation_id)s AND status = 'running' AND deadline_at > clock_timestamp()
        AND (%(token)s::uuid IS NULL OR claim_token = %(token)s::uuid)
    RETURNING id, organization_id, livemode, charged_micros
), artifact AS (
    INSERT INTO gateway_artifact (
        id, generation_id, index, is_public, key, content_type, sha256, size_bytes, width, height,
        revised_prompt, seed, created_at
    )
    SELECT image.id, ended.id, image.index, image.is_public, image.key, image.content_type,
        decode(image.sha256, 'hex'), image.size_bytes, image.width, image.height,
        image.revised_prompt, image.seed, %(now)s::timestamptz
    FROM ended, jsonb_to_recordset(%(images)s::jsonb) AS image (
        id uuid, index integer, is_public boolean, key text, content_type text, sha256 text,
        size_bytes bigint, width integer, height integer, revised_prompt text, seed bigint
    )
), {
    EVENT_CTES.format(
        type=EventType.GENERATION_SUCCEEDED.value,
        source="ended",
        data="jsonb_build_object('generation_id', source.id)",
    )
}
"""  # noqa: S608 - made of constants
_STEP: Final = f"""
WITH {_END_GENERATION}
SELECT livemode, charged_micros FROM ended
"""  # noqa: S608 - made of constants
_COST: Final = ENTRY_CTES.format(after="attempt", prefix="cost_")
# Each part hangs on `ended`, so without that row nothing happens. Locks: generation, hold, budgets,
# grants, balances. Where the money could not be captured, the division by zero undoes everything.
_AT_ONCE: Final = """
WITH {end_generation}, attempt AS (
    {end_attempt} AND EXISTS (SELECT FROM ended)
    RETURNING id
), {cost}
{capture}
SELECT 1 / CASE WHEN charged_micros = %(captured_micros)s
    THEN (SELECT count(*) FROM entry) ELSE 0 END
FROM ended
"""
_STATEMENTS: Final = {
    (costs, has_promo): _AT_ONCE.format(
        end_generation=_END_GENERATION,
        end_attempt=END,
        cost=f"{_COST}, " if costs else "",
        capture=capture.format(after="ended"),
    )
    for costs in (True, False)
    for has_promo, capture in ((False, CAPTURE_CTES), (True, PROMO_CAPTURE_CTES))
}


def settle(
    *,
    generation_id: UUID,
    claim: Claim | None,
    images: Sequence[StoredImage],
    delivery: Delivery,
    now: datetime,
    ended: EndedAttempt | None,
) -> bool:
    """Do as `settle_generation`, once; nothing is announced."""
    ids = [new_uuid() for _ in images]
    rows = [
        {**asdict(image), "id": key, "sha256": image.sha256.hex()}
        for key, image in zip(ids, images, strict=True)
    ]
    params = {
        "generation_id": generation_id,
        "token": None if claim is None else claim.token,
        "served_by": delivery.served_by[:100],
        "image_adjusted": delivery.image_adjusted,
        "undelivered": orjson.dumps(list(delivery.undelivered)).decode(),
        "usage": None if delivery.usage is None else orjson.dumps(delivery.usage).decode(),
        "dropped": orjson.dumps(list(delivery.dropped)).decode(),
        "now": now,
        "count": len(images),
        "images": orjson.dumps(rows).decode(),
    }
    references = [str(key) for key in ids]
    if ended is not None:
        settled = _settle_at_once(generation_id, ended, params, references, now)
        if settled is not None:
            return settled
    return _settle_step_by_step(generation_id, ended, params, references, now)


def _settle_at_once(
    generation_id: UUID,
    ended: EndedAttempt,
    params: dict[str, Any],
    references: Sequence[str],
    now: datetime,
) -> bool | None:
    """Return as `settle`; None where it takes the steps, because of a test key or an error."""
    hold = find_open_hold(str(generation_id))
    if hold is None:
        return None
    attempt, outcome = ended.attempt, ended.outcome
    cost = attempt_cost_params(
        attempt_reference=str(attempt.id),
        provider=attempt.provider,
        amount=cost_of(attempt, outcome),
        now=now,
        prefix="cost_",
    )
    capture = prepare_capture(hold, artifact_references=references, now=now)
    everything = {**params, **end_params(attempt, outcome, now), **(cost or {}), **capture.params}
    try:
        with connection.cursor() as cursor:
            cursor.execute(_STATEMENTS[cost is not None, capture.has_promo], everything)
            return cursor.fetchone() is not None
    except DataError as error:
        if isinstance(error.__cause__, DivisionByZero):
            return None
        raise


def _settle_step_by_step(
    generation_id: UUID,
    ended: EndedAttempt | None,
    params: dict[str, Any],
    references: Sequence[str],
    now: datetime,
) -> bool:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_STEP, params)
        row = cursor.fetchone()
        if row is None:
            return False
        livemode, charged_micros = row
        if ended is not None:
            write_end(attempt=ended.attempt, outcome=ended.outcome, now=now)
        if livemode:
            captured = capture_hold(
                reference=str(generation_id), artifact_references=references, now=now
            )
            if captured.amount_micros != charged_micros:
                raise LedgerCorruptError(f"The hold of {generation_id} has another price.")
    return True
