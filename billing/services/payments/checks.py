"""Invariants of payments: each fact has its entry, and each such entry its fact."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.types import Finding

_FACTS: Final = """
WITH facts AS (
    SELECT 'billing_payment' AS source, id::text AS row_id, organization_id,
        'top_up:payment:' || id AS key, 'top_up' AS kind, gross_micros AS micros, tax_micros,
        currency, status = 'succeeded' AS is_booked
    FROM billing_payment
    UNION ALL
    SELECT 'billing_paymentrefund', r.refund_id, p.organization_id, step.prefix || r.refund_id,
        'payment_refund', r.amount_micros, r.tax_micros, p.currency,
        step.is_first OR r.status = 'failed'
    FROM billing_paymentrefund AS r JOIN billing_payment AS p ON p.id = r.payment_id
    CROSS JOIN (VALUES ('payment_refund:', true), ('payment_refund_failed:', false))
        AS step (prefix, is_first)
    UNION ALL
    SELECT 'billing_dispute', d.dispute_id, p.organization_id, step.prefix || d.dispute_id,
        'dispute', d.amount_micros, d.tax_micros, p.currency, step.is_first OR d.status = 'won'
    FROM billing_dispute AS d JOIN billing_payment AS p ON p.id = d.payment_id
    CROSS JOIN (VALUES ('dispute:', true), ('dispute_won:', false)) AS step (prefix, is_first)
    UNION ALL
    SELECT 'billing_unmatchedpayment', reference, NULL, 'unmatched:' || reference,
        'adjustment', amount_micros, 0, currency, is_booked
    FROM billing_unmatchedpayment
    UNION ALL
    SELECT 'billing_unmatchedpayment', reference, NULL, 'unmatched_returned:' || reference,
        'adjustment', amount_micros, 0, currency,
        is_booked AND status = 'resolved' AND payment_id IS NULL
    FROM billing_unmatchedpayment
)
"""
_UNBOOKED: Final = f"""{_FACTS}
SELECT f.source, f.row_id, f.key, f.micros, f.tax_micros, e.kind, booked.micros, booked.tax_micros
FROM facts AS f
LEFT JOIN billing_journalentry AS e ON e.idempotency_key = f.key
LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_micros) FILTER (WHERE direction = 'debit'), 0) AS micros,
        coalesce(sum(amount_micros) FILTER (WHERE code = 'tax_payable'), 0) AS tax_micros
    FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
    WHERE p.entry_id = e.id AND p.currency = f.currency
) AS booked ON true
WHERE (%(organization_id)s::uuid IS NULL OR f.organization_id = %(organization_id)s)
    AND (f.is_booked <> (e.id IS NOT NULL) OR e.id IS NOT NULL AND (
        e.kind <> f.kind OR booked.micros <> f.micros OR booked.tax_micros <> f.tax_micros
    ))
ORDER BY f.source, f.row_id
"""  # noqa: S608 - made of constants
_ORPHANS: Final = f"""{_FACTS}
SELECT e.id, e.idempotency_key
FROM billing_journalentry AS e
WHERE (e.idempotency_key LIKE 'top_up:payment:%%' OR e.kind IN ('payment_refund', 'dispute')
        OR e.idempotency_key LIKE 'unmatched:%%' OR e.idempotency_key LIKE 'unmatched_returned:%%')
    AND NOT EXISTS (SELECT FROM facts WHERE facts.key = e.idempotency_key)
    AND (%(organization_id)s::uuid IS NULL OR EXISTS (
        SELECT FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
        WHERE p.entry_id = e.id AND a.organization_id = %(organization_id)s
    ))
ORDER BY e.id
"""  # noqa: S608 - made of constants
_REFUNDED: Final = """
SELECT p.id, p.refunded_micros, coalesce(sum(r.amount_micros), 0)
FROM billing_payment AS p
LEFT JOIN billing_paymentrefund AS r ON r.payment_id = p.id AND r.status = 'booked'
WHERE %(organization_id)s::uuid IS NULL OR p.organization_id = %(organization_id)s
GROUP BY p.id HAVING p.refunded_micros <> coalesce(sum(r.amount_micros), 0)
ORDER BY p.id
"""


def check_payments(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield payments, refunds, disputes and unmatched money that the journal does not confirm."""
    for source, row_id, key, micros, tax, kind, booked, taxed in _rows(_UNBOOKED, organization_id):
        found = f"{kind} of {booked} with tax of {taxed}" if kind else "nothing"
        yield Finding(
            "payment_entry",
            source,
            row_id,
            f"says {micros} micros with tax of {tax}, booked as {key} is {found}",
        )
    for entry_id, key in _rows(_ORPHANS, organization_id):
        yield Finding(
            "payment_row", "billing_journalentry", str(entry_id), f"there is no row of {key}"
        )
    for payment_id, says, refunds in _rows(_REFUNDED, organization_id):
        yield Finding(
            "payment_refunded",
            "billing_payment",
            str(payment_id),
            f"says {says} micros were refunded, its refunds sum to {refunds}",
        )


def _rows(sql: str, organization_id: UUID | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"organization_id": organization_id})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
