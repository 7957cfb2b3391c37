"""Whose a posting of revenue, spread or cost is: of which organization, model and provider."""

from typing import Final

from gateway.selectors.rollups import NO_KEY

CODES: Final = ("revenue", "fx_spread", "provider_cost")

POSTED: Final = """
SELECT (entry.effective_at AT TIME ZONE 'UTC')::date AS day, account.code, account.currency,
    entry.reference AS entry_reference, posting.reference AS line_reference,
    CASE WHEN (posting.direction = 'debit') = (account.kind IN ('asset', 'expense'))
        THEN posting.amount_micros ELSE -posting.amount_micros END AS micros,
    CASE WHEN account.code <> 'revenue' THEN 0 WHEN posting.direction = 'credit' THEN 1 ELSE -1 END
        AS images,
    1 AS lines, entry.effective_at, entry.id AS entry_id, posting.line
FROM billing_posting AS posting
JOIN billing_account AS account ON account.id = posting.account_id
    AND account.code IN ('revenue', 'fx_spread', 'provider_cost')
JOIN billing_journalentry AS entry ON entry.id = posting.entry_id
"""
"""The postings themselves, as the trigger writes them, and where they are in the journal."""

# A line of revenue names its image, whose provider is the one that made it; without the image's row
# it is the generation's last. The reference of a cost is its attempt.
RESOLVED: Final = f"""
SELECT part.*,
    coalesce(generation.organization_id, hold.organization_id, '{NO_KEY}') AS organization_id,
    coalesce(generation.model, '') AS model,
    coalesce(
        own.provider, made.provider,
        CASE part.code WHEN 'provider_cost' THEN left(part.line_reference, 20) END, ''
    ) AS provider
FROM ({{parts}}) AS part
LEFT JOIN billing_hold AS hold
    ON part.code <> 'provider_cost' AND hold.reference = part.entry_reference
LEFT JOIN gateway_artifact AS artifact
    ON part.code <> 'provider_cost' AND artifact.id = gateway_uuid(part.line_reference)
LEFT JOIN gateway_attempt AS own
    ON part.code = 'provider_cost' AND own.id = gateway_uuid(part.entry_reference)
LEFT JOIN gateway_generation AS generation ON generation.id = coalesce(
    artifact.generation_id, own.generation_id, gateway_uuid(part.entry_reference)
)
LEFT JOIN LATERAL (
    SELECT attempt.provider FROM gateway_attempt AS attempt
    WHERE attempt.generation_id = generation.id AND attempt.status = 'succeeded'
    ORDER BY artifact.index = ANY(attempt.indexes) DESC NULLS LAST, attempt.number DESC
    LIMIT 1
) AS made ON part.code <> 'provider_cost'
"""  # noqa: S608 - made of constants
"""The rows of `parts` with whose they are."""

FACTS: Final = """
SELECT day, code, currency, entry_reference, line_reference, micros, images, lines
FROM gateway_marginfact
"""
COUNTED: Final = f"""
SELECT day, organization_id, model, provider, code, currency, micros, images, lines
FROM gateway_marginday
UNION ALL
SELECT day, organization_id, model, provider, code, currency, micros, images, lines
FROM ({RESOLVED.format(parts=FACTS)}) AS waiting
"""  # noqa: S608 - made of constants
"""Margin days, and the facts that none of them has counted yet."""
