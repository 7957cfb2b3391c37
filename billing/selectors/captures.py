"""What was charged, for statements of other apps that group it by what only they know."""

from typing import Final

CAPTURES: Final = """
SELECT hold.reference, hold.api_key_id, hold.currency, hold.captured_count AS images,
    hold.captured_micros AS amount_micros, hold.closed_at AS captured_at, hold.budget_period
FROM billing_hold AS hold
WHERE hold.organization_id = %(organization_id)s AND hold.status = 'captured'
    AND hold.closed_at >= %(since)s AND hold.closed_at < %(until)s
"""
"""The captures of an organization in a half-open period, one row per hold.

The hold says what its entry booked; `verify_ledger` compares them.
"""
PRICED_CAPTURES: Final = """
SELECT hold.reference, hold.currency, price.price_book, hold.pixels, hold.inputs, hold.markup,
    hold.captured_count AS images, hold.captured_micros AS amount_micros,
    hold.list_unit_micros * hold.captured_count AS list_micros
FROM billing_hold AS hold JOIN billing_priceversion AS price ON price.id = hold.price_version_id
WHERE hold.status = 'captured' AND hold.closed_at >= %(since)s AND hold.closed_at < %(until)s
"""
"""The captures of all organizations in a half-open period with what their prices are made of.

`list_micros` is what they were charged in the list price's currency, with markup.
"""
