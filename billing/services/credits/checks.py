"""Invariants of promotional credit."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.db import connection

from billing.digests import grant_digest
from billing.models import Grant
from billing.types import Finding

_GRANTS: Final = "billing_grant"
# What a grant says beside what its entries and the parts that holds have of it say.
_SUMS: Final = """
SELECT g.id, g.status, g.amount_micros,
    ARRAY[g.held_micros, g.captured_micros, g.expired_micros],
    ARRAY[coalesce(part.held, 0), coalesce(part.captured, 0), coalesce(booked.expired, 0)],
    coalesce(booked.granted, 0)
FROM billing_grant AS g
LEFT JOIN (
    SELECT part.grant_id,
        sum(part.captured_micros - part.refunded_micros)::bigint AS captured,
        sum(part.amount_micros) FILTER (WHERE hold.status = 'authorized')::bigint AS held
    FROM billing_grantpart AS part JOIN billing_hold AS hold ON hold.id = part.hold_id
    GROUP BY part.grant_id
) AS part ON part.grant_id = g.id
LEFT JOIN (
    SELECT posting.account_id, entry.reference,
        sum(posting.amount_micros) FILTER (WHERE entry.kind = 'promotion')::bigint AS granted,
        sum(posting.amount_micros) FILTER (WHERE entry.kind = 'expiry')::bigint AS expired
    FROM billing_journalentry AS entry
    JOIN billing_posting AS posting ON posting.entry_id = entry.id
    WHERE entry.kind IN ('promotion', 'expiry')
        AND posting.direction = CASE entry.kind WHEN 'promotion' THEN 'credit' ELSE 'debit' END
    GROUP BY posting.account_id, entry.reference
) AS booked ON booked.account_id = g.account_id AND booked.reference = g.id::text
WHERE %(organization_id)s::uuid IS NULL OR g.organization_id = %(organization_id)s
ORDER BY g.id
"""
_ENTRIES_WITHOUT_GRANT: Final = """
SELECT DISTINCT entry.id, entry.idempotency_key
FROM billing_journalentry AS entry
JOIN billing_posting AS posting ON posting.entry_id = entry.id
JOIN billing_account AS account ON account.id = posting.account_id
    AND account.organization_id IS NOT NULL
WHERE entry.kind IN ('promotion', 'expiry')
    AND (%(organization_id)s::uuid IS NULL OR account.organization_id = %(organization_id)s)
    AND NOT EXISTS (
        SELECT FROM billing_grant AS g
        WHERE g.id::text = entry.reference AND g.account_id = account.id
    )
ORDER BY entry.id
"""
# What holds say beside their parts; few have any.
_HOLDS: Final = """
SELECT coalesce(hold.id, part.hold_id), hold.reference, hold.promo_micros,
    least(hold.promo_micros, hold.captured_micros),
    coalesce(part.amount, 0), coalesce(part.captured, 0)
FROM (
    SELECT hold_id, sum(amount_micros)::bigint AS amount, sum(captured_micros)::bigint AS captured
    FROM billing_grantpart GROUP BY hold_id
) AS part
FULL JOIN (SELECT * FROM billing_hold WHERE promo_micros > 0) AS hold ON hold.id = part.hold_id
WHERE (hold.promo_micros, least(hold.promo_micros, hold.captured_micros))
        IS DISTINCT FROM (part.amount, part.captured)
    AND (%(organization_id)s::uuid IS NULL OR coalesce(
        hold.organization_id,
        (SELECT other.organization_id FROM billing_hold AS other WHERE other.id = part.hold_id)
    ) = %(organization_id)s)
ORDER BY 1
"""
# What entries gave back of credit that had paid, beside what the parts of the same hold say.
_RETURNED: Final = """
SELECT coalesce(booked.reference, part.reference), coalesce(booked.micros, 0),
    coalesce(part.micros, 0)
FROM (
    SELECT entry.reference, account.organization_id, sum(
        CASE posting.direction WHEN 'credit' THEN amount_micros ELSE -amount_micros END
    )::bigint AS micros
    FROM billing_journalentry AS entry
    JOIN billing_posting AS posting ON posting.entry_id = entry.id
    JOIN billing_account AS account ON account.id = posting.account_id
        AND account.code = 'wallet_promo'
    WHERE entry.kind NOT IN ('promotion', 'expiry', 'capture')
    GROUP BY entry.reference, account.organization_id
) AS booked
FULL JOIN (
    SELECT hold.reference, hold.organization_id, sum(part.refunded_micros)::bigint AS micros
    FROM billing_grantpart AS part JOIN billing_hold AS hold ON hold.id = part.hold_id
    WHERE part.refunded_micros > 0
    GROUP BY hold.reference, hold.organization_id
) AS part USING (reference, organization_id)
WHERE booked.micros IS DISTINCT FROM part.micros
    AND (%(organization_id)s::uuid IS NULL OR organization_id = %(organization_id)s)
ORDER BY 1
"""


def check_grants(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield grants that were changed, or are unlike their entries or what holds have of them."""
    grants = Grant.objects.order_by("id")
    if organization_id is not None:
        grants = grants.filter(organization_id=organization_id)
    for grant in grants.iterator():
        if grant_digest(grant) != bytes(grant.digest):
            yield _finding("grant_digest", grant.id, "its terms or its decision were changed")
    owner = {"organization_id": organization_id}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, owner)
        sums = cursor.fetchall()
        cursor.execute(_ENTRIES_WITHOUT_GRANT, owner)
        entries = cursor.fetchall()
        cursor.execute(_HOLDS, owner)
        holds = cursor.fetchall()
        cursor.execute(_RETURNED, owner)
        returned = cursor.fetchall()
    for grant_id, status, amount, said, found, granted in sums:
        if granted != (amount if status == Grant.Status.GRANTED else 0):
            yield _finding("grant_entry", grant_id, f"{status}, of {amount} {granted} are booked")
        if said != found:
            yield _finding(
                "grant_spent",
                grant_id,
                f"says {said} micros held, captured and expired, its holds and entries say {found}",
            )
    for entry_id, key in entries:
        message = f"{key} is of no grant of its organization"
        yield Finding("promotion_has_grant", "billing_journalentry", str(entry_id), message)
    for hold_id, reference, promo, captured, parts, parts_captured in holds:
        message = (
            f"{reference}: {promo} micros of credit, {captured} captured;"
            f" its parts say {parts} and {parts_captured}"
        )
        yield Finding("hold_promo", "billing_hold", str(hold_id), message)
    for reference, micros, parts in returned:
        message = f"{micros} micros of credit were given back, its parts of grants say {parts}"
        yield Finding("grant_returned", "billing_grantpart", reference, message)


def _finding(check: str, grant_id: UUID, message: str) -> Finding:
    return Finding(check, _GRANTS, str(grant_id), message)
