"""Invariants of refunds, credit notes and adjustments: each has its entry, and the other way."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.models import CreditNote
from billing.services.statements.content import digest_of
from billing.types import Finding

_OWN: Final = "(%(organization_id)s::uuid IS NULL OR r.organization_id = %(organization_id)s)"
_OF_OWNER: Final = """
    (%(organization_id)s::uuid IS NULL OR EXISTS (
        SELECT FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
        WHERE p.entry_id = e.id AND a.organization_id = %(organization_id)s
    ))
"""
_CHARGED: Final = """
    SELECT p.account_id, CASE p.direction WHEN 'debit' THEN 'credit' ELSE 'debit' END,
        p.amount_micros, p.currency, p.reference
    FROM billing_journalentry AS c JOIN billing_posting AS p ON p.entry_id = c.id
    WHERE c.kind = 'capture' AND c.reference = r.reference AND p.reference = i.artifact
"""
_GIVEN: Final = """
    SELECT p.account_id, p.direction, p.amount_micros, p.currency, p.reference
    FROM billing_posting AS p WHERE p.entry_id = e.id
"""
_IMAGES: Final = f"""
SELECT i.id, i.artifact, i.amount_micros, r.status, e.id IS NOT NULL
FROM billing_refundedimage AS i
JOIN billing_refund AS r ON r.id = i.refund_id
LEFT JOIN billing_journalentry AS e
    ON e.idempotency_key = 'refund:' || i.artifact AND NOT i.is_dropped
WHERE {_OWN} AND (
    i.is_dropped <> (r.status IN ('declined', 'withdrawn'))
    OR (r.status = 'approved') <> (e.id IS NOT NULL)
    OR e.id IS NOT NULL AND (
        e.kind <> 'reversal' OR e.reference <> r.reference
        OR EXISTS (({_CHARGED}) EXCEPT ALL ({_GIVEN}))
        OR EXISTS (({_GIVEN}) EXCEPT ALL ({_CHARGED}))
        OR i.amount_micros <> (
            SELECT coalesce(sum(
                CASE p.direction WHEN 'credit' THEN p.amount_micros ELSE -p.amount_micros END
            ), 0)
            FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
            WHERE p.entry_id = e.id AND a.organization_id IS NOT NULL
        )
    )
)
ORDER BY i.id
"""  # noqa: S608 - made of constants
_REFUND_ORPHANS: Final = f"""
SELECT e.id, e.idempotency_key FROM billing_journalentry AS e
WHERE e.idempotency_key LIKE 'refund:%%' AND {_OF_OWNER} AND NOT EXISTS (
    SELECT FROM billing_refundedimage AS i JOIN billing_refund AS r ON r.id = i.refund_id
    WHERE 'refund:' || i.artifact = e.idempotency_key AND r.status = 'approved'
)
ORDER BY e.id
"""  # noqa: S608 - made of constants
# Whatever the keys: an image gives back at most what it was charged.
_DOUBLE: Final = f"""
SELECT e.id, p.reference, sum(
    CASE p.direction WHEN 'credit' THEN p.amount_micros ELSE -p.amount_micros END
) OVER same, (
    SELECT coalesce(sum(
        CASE q.direction WHEN 'debit' THEN q.amount_micros ELSE -q.amount_micros END
    ), 0)
    FROM billing_journalentry AS c
    JOIN billing_posting AS q ON q.entry_id = c.id AND q.reference = p.reference
    JOIN billing_account AS b ON b.id = q.account_id AND b.organization_id IS NOT NULL
    WHERE c.kind = 'capture' AND c.reference = e.reference
)
FROM billing_journalentry AS e
JOIN billing_posting AS p ON p.entry_id = e.id AND p.reference <> ''
JOIN billing_account AS a ON a.id = p.account_id AND a.organization_id IS NOT NULL
WHERE e.kind = 'reversal' AND {_OF_OWNER}
WINDOW same AS (PARTITION BY e.reference, p.reference ORDER BY e.booked_at, e.id, p.line)
"""  # noqa: S608 - made of constants
_REFUNDS: Final = f"""
SELECT r.id, r.amount_micros, coalesce(sum(i.amount_micros), 0), r.status = 'approved',
    n.number IS NOT NULL
FROM billing_refund AS r
LEFT JOIN billing_refundedimage AS i ON i.refund_id = r.id
LEFT JOIN billing_creditnote AS n ON n.refund_id = r.id
WHERE {_OWN}
GROUP BY r.id, n.number
HAVING r.amount_micros <> coalesce(sum(i.amount_micros), 0)
    OR (r.status = 'approved') <> (n.number IS NOT NULL)
ORDER BY r.id
"""  # noqa: S608 - made of constants
_ADJUSTMENTS: Final = f"""
SELECT r.id, r.direction, r.amount_micros, r.status, e.id IS NOT NULL
FROM billing_adjustment AS r
LEFT JOIN billing_journalentry AS e ON e.idempotency_key = 'adjustment:' || r.id
WHERE {_OWN} AND (
    (r.status = 'approved') <> (e.id IS NOT NULL)
    OR e.id IS NOT NULL AND (e.kind <> 'adjustment' OR NOT EXISTS (
        SELECT FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
        WHERE p.entry_id = e.id AND a.organization_id = r.organization_id AND a.code = 'wallet'
            AND p.direction = r.direction AND p.amount_micros = r.amount_micros
            AND p.currency = r.currency
    ))
)
ORDER BY r.id
"""  # noqa: S608 - made of constants
_ADJUSTMENT_ORPHANS: Final = f"""
SELECT e.id, e.idempotency_key FROM billing_journalentry AS e
WHERE e.idempotency_key LIKE 'adjustment:%%' AND {_OF_OWNER} AND NOT EXISTS (
    SELECT FROM billing_adjustment AS r
    WHERE 'adjustment:' || r.id = e.idempotency_key AND r.status = 'approved'
)
ORDER BY e.id
"""  # noqa: S608 - made of constants


def check_refunds(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield refunds, credit notes and adjustments that the journal does not confirm."""
    for row_id, artifact, micros, status, is_booked in _rows(_IMAGES, organization_id):
        yield Finding(
            "refund_entry",
            "billing_refundedimage",
            str(row_id),
            f"image {artifact}: {micros} micros, {status}; the journal has"
            f" {'an entry that is not its charge mirrored' if is_booked else 'no entry of it'}",
        )
    for entry_id, key in _rows(_REFUND_ORPHANS, organization_id):
        yield _orphan("refund_row", entry_id, key)
    for entry_id, artifact, given, charged in _rows(_DOUBLE, organization_id):
        if given > charged:
            yield Finding(
                "refund_double",
                "billing_journalentry",
                str(entry_id),
                f"gives back image {artifact} once more: {given} micros of {charged} charged",
            )
    for refund_id, micros, images, is_approved, has_note in _rows(_REFUNDS, organization_id):
        yield Finding(
            "refund_whole",
            "billing_refund",
            str(refund_id),
            f"says {micros} micros, its images {images}; it is"
            f" {'approved' if is_approved else 'not approved'} and has"
            f" {'a' if has_note else 'no'} credit note",
        )
    yield from _check_notes(organization_id)
    yield from _check_adjustments(organization_id)


def _check_notes(organization_id: UUID | None) -> Iterator[Finding]:
    """Check that credit notes are whole, unchanged, and numbered without gaps."""
    notes = CreditNote.objects.select_related("refund").order_by("number")
    if organization_id is not None:
        notes = notes.filter(organization_id=organization_id)
    expected = 1
    for note in notes.iterator(chunk_size=200):
        for problem in _note_problems(note):
            yield Finding("credit_note", "billing_creditnote", str(note.number), problem)
        if organization_id is None and note.number != expected:
            yield Finding(
                "credit_note",
                "billing_creditnote",
                str(note.number),
                f"does not follow the one before: number {expected} is missing",
            )
        expected = note.number + 1


def _note_problems(note: CreditNote) -> Iterator[str]:
    refund, content = note.refund, note.content
    if digest_of(content) != bytes(note.digest):
        yield "was changed after it was issued"
    said = (content["number"], content["reference"], content["amount"], content["currency"])
    if said != (note.number, refund.reference, refund.amount_micros, refund.currency):
        yield f"says {said[2]} {said[3]} for {said[1]}, its refund {refund.amount_micros}"
    if (note.amount_micros, note.currency, note.organization_id) != (
        refund.amount_micros,
        refund.currency,
        refund.organization_id,
    ):
        yield f"is over {note.amount_micros} {note.currency}, its refund {refund.amount_micros}"


def _check_adjustments(organization_id: UUID | None) -> Iterator[Finding]:
    for row_id, direction, micros, status, is_booked in _rows(_ADJUSTMENTS, organization_id):
        yield Finding(
            "adjustment_entry",
            "billing_adjustment",
            str(row_id),
            f"{status} {direction} of {micros} micros, the journal has"
            f" {'another entry' if is_booked else 'no entry'}",
        )
    for entry_id, key in _rows(_ADJUSTMENT_ORPHANS, organization_id):
        yield _orphan("adjustment_row", entry_id, key)


def _orphan(check: str, entry_id: UUID, key: str) -> Finding:
    return Finding(
        check, "billing_journalentry", str(entry_id), f"there is no approved row of {key}"
    )


def _rows(sql: str, organization_id: UUID | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"organization_id": organization_id})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
