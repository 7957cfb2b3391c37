"""Findings: what is wrong with the platform, one row for each kind and object.

Whatever notices a fault calls `report`, and who knows that it is over `resolve`; a check calls
`reconcile`, which closes what it no longer finds.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from core.ids import new_uuid
from gateway.errors import NotFoundError
from gateway.models import Finding
from orgs.errors import InvalidInputError
from orgs.services.audit import Action, Actor, Target, record, require_platform

# A check that finds more than this has found one large fault; its first rows name it.
MOST: Final = 2_000
_WORDS_LENGTH: Final = 1_000
_OBJECT_LENGTH: Final = 120
_NOTE_LENGTH: Final = 500
logger = logging.getLogger(__name__)

# Seen again after it was closed, it is a new fault: nobody has acknowledged it.
_UPSERT: Final = """
INSERT INTO gateway_finding AS finding (
    id, kind, severity, object_type, object_id, organization_id, words, count, first_seen_at,
    last_seen_at, acknowledged_by, note
)
VALUES (
    %(id)s, %(kind)s, %(severity)s, %(object_type)s, %(object_id)s, %(organization_id)s, %(words)s,
    1, %(now)s, %(now)s, '', ''
)
ON CONFLICT (kind, object_type, object_id) DO UPDATE
SET severity = excluded.severity, words = excluded.words,
    organization_id = excluded.organization_id, count = finding.count + 1,
    last_seen_at = greatest(finding.last_seen_at, excluded.last_seen_at), resolved_at = NULL,
    acknowledged_at = CASE WHEN finding.resolved_at IS NULL THEN finding.acknowledged_at END,
    acknowledged_by =
        CASE WHEN finding.resolved_at IS NULL THEN finding.acknowledged_by ELSE '' END,
    note = CASE WHEN finding.resolved_at IS NULL THEN finding.note ELSE '' END
"""


class Kind(StrEnum):
    """What can be wrong. Each is looked for by one check, or reported by one service."""

    LEDGER_VIOLATION = "ledger.violation"
    ROLLUP_DIFFERENCE = "rollup.difference"
    PRICE_LOSS = "price.loss"
    HOLD_OVERDUE = "hold.overdue"
    GENERATION_STUCK = "generation.stuck"
    OBJECTS_LEFT = "objects.left"
    PURGE_OVERDUE = "organization.purge_overdue"
    RESULTS_LATE = "provider.late_results"
    PROVIDER_OUT_OF_FUNDS = "provider.out_of_funds"
    PROVIDER_BAD_CREDENTIALS = "provider.bad_credentials"
    PROVIDER_DOWN = "provider.down"


SEVERITIES: Final[Mapping[Kind, str]] = {
    Kind.LEDGER_VIOLATION: Finding.Severity.CRITICAL,
    Kind.HOLD_OVERDUE: Finding.Severity.CRITICAL,
    Kind.PRICE_LOSS: Finding.Severity.CRITICAL,
    Kind.PROVIDER_OUT_OF_FUNDS: Finding.Severity.CRITICAL,
    Kind.PROVIDER_BAD_CREDENTIALS: Finding.Severity.CRITICAL,
}
"""Where money is at stake, or only an operator can help; all others are warnings."""

PROVIDER_KINDS: Final[Mapping[str, Kind]] = {
    "OutOfFunds": Kind.PROVIDER_OUT_OF_FUNDS,
    "BadCredentials": Kind.PROVIDER_BAD_CREDENTIALS,
}
"""By the reason of a breaker's opening; every other reason is an outage."""


@dataclass(frozen=True, slots=True)
class Found:
    """One fault of one object; `words` say what was seen, to operators."""

    kind: Kind
    object_type: str
    object_id: str
    words: str
    organization_id: UUID | None = None


def report(found: Found, *, now: datetime) -> None:
    """Note what happened. Joins the caller's transaction, if there is one."""
    _write([found], now)


def reconcile(kinds: Collection[Kind], found: Iterable[Found], *, now: datetime) -> int:
    """Note what a check of some kinds has found, and close what it no longer finds.

    One transaction. What was reported after `now`, while the check looked, stays open.

    Returns:
        How many were found.
    """
    seen = list(found)
    with transaction.atomic():
        _write(seen[:MOST], now)
        closed = Finding.objects.filter(
            kind__in=kinds, resolved_at__isnull=True, last_seen_at__lt=now
        ).update(resolved_at=now)
    if closed:
        logger.info("findings.closed kinds=%s count=%d", ",".join(sorted(kinds)), closed)
    return len(seen)


def resolve(kinds: Collection[Kind], object_id: str, *, now: datetime) -> None:
    """Close what was found of one object, and is over."""
    Finding.objects.filter(kind__in=kinds, object_id=object_id, resolved_at__isnull=True).update(
        resolved_at=now
    )


def acknowledge(*, finding_id: UUID, note: str, actor: Actor, now: datetime) -> None:
    """Note that an operator knows of an open finding, and what they say about it.

    One transaction; locks the row. Acknowledging it again replaces the note.

    Raises:
        PermissionDeniedError: The actor does not run the platform.
        NotFoundError: There is no such finding, or it is closed.
        InvalidInputError: The note is empty or too long.
    """
    require_platform(actor)
    words = note.strip()
    if not words or len(words) > _NOTE_LENGTH or "\x00" in words:
        raise InvalidInputError(
            f"A note of at most {_NOTE_LENGTH} characters is needed.", param="note"
        )
    with transaction.atomic():
        finding = (
            Finding.objects.select_for_update()
            .filter(id=finding_id, resolved_at__isnull=True)
            .first()
        )
        if finding is None:
            raise NotFoundError("There is no such open finding.")
        before = {"note": finding.note}
        finding.acknowledged_at, finding.note = now, words
        finding.acknowledged_by = actor.label[:254]
        finding.save(update_fields=["acknowledged_at", "acknowledged_by", "note"])
        record(
            action=Action.FINDING_ACKNOWLEDGED,
            actor=actor,
            organization_id=None,
            target=Target("finding", finding.id, f"{finding.kind} {finding.object_id}"),
            before=before,
            after={"note": words},
        )


def _write(found: Collection[Found], now: datetime) -> None:
    if not found:
        return
    rows = [
        {
            "id": new_uuid(),
            "kind": one.kind.value,
            "severity": SEVERITIES.get(one.kind, Finding.Severity.WARNING),
            "object_type": one.object_type,
            "object_id": one.object_id[:_OBJECT_LENGTH],
            "organization_id": one.organization_id,
            "words": one.words[:_WORDS_LENGTH],
            "now": now,
        }
        # In one order for all writers, so that two of them never wait for each other.
        for one in sorted(found, key=lambda one: (one.kind, one.object_type, one.object_id))
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_UPSERT, rows)
