"""Invariants of reconciliation: each accepted difference and payment has its entry, and back."""

from collections.abc import Iterator
from typing import Final

from django.db import connection

from billing.types import Finding

# What the entry is to credit to an account, of a provider or payout; a debit is negative.
_FACTS: Final = """
WITH facts AS (
    SELECT 'billing_providerdifference' AS source, d.id::text AS row_id, 'true_up:' || d.id AS key,
        'true_up' AS kind, 'provider_payable' AS code, i.provider AS name,
        d.their_micros - d.our_micros AS micros,
        d.status = 'accepted' AND d.their_micros <> d.our_micros AS is_booked
    FROM billing_providerdifference AS d JOIN billing_providerimport AS i ON i.id = d.source_id
    UNION ALL
    SELECT 'billing_providerpayment', id::text, 'provider_payment:' || id, 'provider_payment',
        'provider_payable', provider, -micros, true
    FROM billing_providerpayment
    UNION ALL
    SELECT 'billing_payout', payout.reference, 'payout:' || payout.reference, 'payout', line.code,
        payout.reference, line.micros, true
    FROM billing_payout AS payout CROSS JOIN LATERAL (VALUES
        ('payment_clearing', payout.gross_micros), ('payment_fees', -payout.fee_micros),
        ('cash', payout.fee_micros - payout.gross_micros)
    ) AS line (code, micros)
)
"""
_UNBOOKED: Final = f"""{_FACTS}
SELECT f.source, f.row_id, f.key, f.micros, e.kind, coalesce(sum(p.micros), 0)
FROM facts AS f
LEFT JOIN billing_journalentry AS e ON e.idempotency_key = f.key
LEFT JOIN LATERAL (
    SELECT CASE p.direction WHEN 'credit' THEN p.amount_micros ELSE -p.amount_micros END AS micros
    FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
    WHERE p.entry_id = e.id AND a.code = f.code AND p.reference = f.name
) AS p ON true
GROUP BY f.source, f.row_id, f.key, f.kind, f.code, f.micros, f.is_booked, e.id, e.kind
HAVING f.is_booked <> (e.id IS NOT NULL)
    OR e.id IS NOT NULL AND (e.kind <> f.kind OR coalesce(sum(p.micros), 0) <> f.micros)
ORDER BY f.source, f.row_id
"""  # noqa: S608 - made of constants
_ORPHANS: Final = f"""{_FACTS}
SELECT e.id, e.idempotency_key FROM billing_journalentry AS e
WHERE e.kind IN ('true_up', 'provider_payment', 'payout')
    AND NOT EXISTS (SELECT FROM facts WHERE facts.key = e.idempotency_key)
ORDER BY e.id
"""  # noqa: S608 - made of constants


def check_reconciliations() -> Iterator[Finding]:
    """Yield differences, payments and payouts that the journal does not confirm, and the others."""
    with connection.cursor() as cursor:
        cursor.execute(_UNBOOKED)
        unbooked = cursor.fetchall()
        cursor.execute(_ORPHANS)
        orphans = cursor.fetchall()
    for source, row_id, key, micros, kind, booked in unbooked:
        found = f"{kind} of {booked}" if kind else "nothing"
        message = f"says {micros} micros, booked as {key} is {found}"
        yield Finding("provider_entry", source, row_id, message)
    for entry_id, key in orphans:
        message = f"there is no row of {key}"
        yield Finding("provider_row", "billing_journalentry", str(entry_id), message)
