"""The statements of holds.

Each step reads rows that the one before it returned. That is what orders the locks (key budget,
organization budget, balance): a data-modifying CTE that nothing depends on runs at no particular
time.
"""

from typing import Final

from billing.services.ledger import ENTRY_CTES

TERMS: Final = """
SELECT o.time_zone,
    (SELECT id FROM billing_budget WHERE organization_id = o.id AND api_key_id = %(api_key_id)s),
    (SELECT id FROM billing_budget WHERE organization_id = o.id AND api_key_id IS NULL)
FROM orgs_organization AS o
WHERE o.id = %(organization_id)s
"""
"""What an authorization needs to know beforehand; takes no lock."""

_ALWAYS: Final = "(SELECT 1) AS always"

_RESERVE: Final = """
    INSERT INTO billing_budgetperiod AS p (budget_id, period, held_micros, captured_micros)
    SELECT b.id, %(budget_period)s::date, %(amount_micros)s::bigint, 0
    FROM {source}
    WHERE b.organization_id = %(organization_id)s::uuid AND b.api_key_id {owner}
        AND (b.limit_micros IS NULL OR b.limit_micros >= %(amount_micros)s)
    ON CONFLICT (budget_id, period) DO UPDATE
    SET held_micros = p.held_micros + excluded.held_micros
    WHERE (
        SELECT b.limit_micros IS NULL
            OR b.limit_micros >= p.held_micros + p.captured_micros + excluded.held_micros
        FROM billing_budget AS b
        WHERE b.id = p.budget_id
    )
    RETURNING id
"""

HOLD_COLUMNS: Final = (
    "id",
    "organization_id",
    "account_id",
    "api_key_id",
    "reference",
    "amount_micros",
    "unit_micros",
    "list_unit_micros",
    "count",
    "currency",
    "price_version_id",
    "pixels",
    "inputs",
    "list_amount",
    "list_currency",
    "markup",
    "markup_version_id",
    "rate",
    "fx_rate_id",
    "spread",
    "spread_version_id",
    "budget_period",
    "deadline_at",
    "authorized_at",
    "status",
    "captured_micros",
    "captured_count",
    "closed_at",
    "digest",
)

FIND: Final = f"""
SELECT {", ".join(HOLD_COLUMNS)}
FROM billing_hold
WHERE reference = %s
"""  # noqa: S608 - made of constants
"""Read a hold, whatever its status; takes no lock."""

LOCK: Final = f"{FIND}FOR UPDATE"
"""Take a hold, whatever its status."""

_CASTS: Final = {
    "id": "uuid",
    "organization_id": "uuid",
    "account_id": "uuid",
    "api_key_id": "uuid",
    "list_amount": "numeric",
    "markup": "numeric",
    "markup_version_id": "bigint",
    "rate": "numeric",
    "fx_rate_id": "bigint",
    "spread": "numeric",
    "spread_version_id": "bigint",
    "budget_period": "date",
    "deadline_at": "timestamptz",
    "authorized_at": "timestamptz",
    "closed_at": "timestamptz",
    "digest": "bytea",
}
_VALUES: Final = ", ".join(
    f"%({name})s::{_CASTS[name]}" if name in _CASTS else f"%({name})s" for name in HOLD_COLUMNS
)

AUTHORIZE_CTES: Final = f"""
key_period AS (
    {
    _RESERVE.format(source="{after} CROSS JOIN billing_budget AS b", owner="= %(api_key_id)s::uuid")
}
), org_period AS (
    {
    _RESERVE.format(
        source=(
            "(SELECT count(*) AS reserved FROM key_period) AS k"
            " JOIN billing_budget AS b ON k.reserved = %(keys)s"
        ),
        owner="IS NULL",
    )
}
), balance AS (
    UPDATE billing_balance AS b
    SET held_micros = b.held_micros + %(amount_micros)s
    FROM org_period
    WHERE b.account_id = %(account_id)s
        AND b.posted_micros - b.held_micros >= %(amount_micros)s
    RETURNING b.account_id
), hold AS (
    INSERT INTO billing_hold ({", ".join(HOLD_COLUMNS)})
    SELECT {_VALUES}
    FROM balance
    RETURNING id
)
"""  # noqa: S608 - made of constants
"""Reserve in both budgets and the balance, then insert the hold, after the rows of `{after}` exist.

A month's first reservation inserts the period, every later one adds to it under the limit. Where
one step does not suffice, the later ones do nothing: without a row in `hold` the transaction must
be rolled back.
"""

AUTHORIZE: Final = f"""
WITH {AUTHORIZE_CTES.format(after=_ALWAYS)}
SELECT (SELECT count(*) FROM key_period), (SELECT count(*) FROM org_period),
    (SELECT count(*) FROM hold)
"""  # noqa: S608 - made of constants
"""Authorize; the answer counts how far it came: the first zero names what did not suffice."""

_CLOSE: Final = """
hold AS (
    UPDATE billing_hold AS h
    SET status = %(status)s, captured_micros = %(captured_micros)s,
        captured_count = %(captured_count)s, closed_at = %(closed_at)s, digest = %(hold_digest)s
    FROM {after}
    WHERE h.id = %(hold_id)s AND h.status = 'authorized'
    RETURNING h.organization_id, h.api_key_id, h.account_id, h.amount_micros, h.captured_micros,
        h.budget_period
), key_period AS (
    UPDATE billing_budgetperiod AS p
    SET held_micros = p.held_micros - hold.amount_micros,
        captured_micros = p.captured_micros + hold.captured_micros
    FROM hold
    JOIN billing_budget AS b
        ON b.organization_id = hold.organization_id AND b.api_key_id = hold.api_key_id
    WHERE p.budget_id = b.id AND p.period = hold.budget_period
    RETURNING p.id
), org_period AS (
    UPDATE billing_budgetperiod AS p
    SET held_micros = p.held_micros - hold.amount_micros,
        captured_micros = p.captured_micros + hold.captured_micros
    FROM hold
    CROSS JOIN (SELECT count(*) FROM key_period) AS key_first
    JOIN billing_budget AS b
        ON b.organization_id = hold.organization_id AND b.api_key_id IS NULL
    WHERE p.budget_id = b.id AND p.period = hold.budget_period
    RETURNING p.id
), """

CAPTURE_CTES: Final = _CLOSE + ENTRY_CTES.format(after="org_period", prefix="")
"""Close the hold as captured after the rows of `{after}` exist, and book its entry.

Without a row in `entry` the transaction must be rolled back.
"""

CAPTURE: Final = f"""
WITH {CAPTURE_CTES.format(after=_ALWAYS)}
SELECT count(*) FROM entry
"""  # noqa: S608 - made of constants
"""Close the hold as captured and book its entry; the answer is 1 when both happened."""

RELEASE: Final = f"""
WITH {_CLOSE.format(after=_ALWAYS)}
balance AS (
    UPDATE billing_balance AS b
    SET held_micros = b.held_micros - hold.amount_micros
    FROM hold, org_period
    WHERE b.account_id = hold.account_id
    RETURNING b.account_id
)
SELECT (SELECT count(*) FROM balance)
"""  # noqa: S608 - made of constants
"""Close the hold as released and give its money back; the answer is 1 when both happened."""
