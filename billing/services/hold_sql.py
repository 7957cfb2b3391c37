"""The statements of holds, without promotional credit and with it.

Each step reads rows that the one before it returned. That is what orders the locks (key budget,
organization budget, grants, balances): a data-modifying CTE that nothing depends on runs at no
particular time. Without promotional credit nothing is read of it but one row, in the same step.
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

READ_COLUMNS: Final = (*HOLD_COLUMNS, "promo_micros")

FIND: Final = f"""
SELECT {", ".join(READ_COLUMNS)}
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

_BUDGETS: Final = f"""
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
)"""  # noqa: S608 - made of constants

AUTHORIZE_CTES: Final = f"""
{_BUDGETS}, balance AS (
    UPDATE billing_balance AS b
    SET held_micros = b.held_micros + %(amount_micros)s
    FROM org_period
    WHERE b.account_id = %(account_id)s
        AND b.posted_micros - b.held_micros >= %(amount_micros)s
        AND NOT EXISTS (
            SELECT FROM billing_balance AS promo
            WHERE promo.account_id = %(promo_account_id)s::uuid
                AND promo.posted_micros > promo.held_micros
        )
    RETURNING b.account_id
), hold AS (
    INSERT INTO billing_hold ({", ".join(HOLD_COLUMNS)})
    SELECT {_VALUES}
    FROM balance
    RETURNING id
)
"""  # noqa: S608 - made of constants
"""Reserve in both budgets and the wallet, then insert the hold, after the rows of `{after}` exist.

A month's first reservation inserts the period, every later one adds to it under the limit. Where
one step does not suffice, or there is promotional credit, the later ones do nothing: without a row
in `hold` the transaction must be rolled back.
"""

PROMO_AUTHORIZE_CTES: Final = f"""
{_BUDGETS}, unspent AS (
    SELECT g.id, g.expires_at,
        g.amount_micros - g.held_micros - g.captured_micros - g.expired_micros AS micros
    FROM org_period CROSS JOIN billing_grant AS g
    WHERE g.account_id = %(promo_account_id)s::uuid AND g.status = 'granted'
        AND g.expires_at > %(authorized_at)s::timestamptz
        AND g.amount_micros > g.held_micros + g.captured_micros + g.expired_micros
    ORDER BY g.expires_at, g.id
    FOR NO KEY UPDATE OF g
), part AS (
    SELECT id, least(micros, %(amount_micros)s::bigint - earlier)::bigint AS micros
    FROM (
        SELECT id, micros, sum(micros) OVER (ORDER BY expires_at, id) - micros AS earlier
        FROM unspent
    ) AS ordered
    WHERE earlier < %(amount_micros)s::bigint
), taken AS (
    UPDATE billing_grant AS g
    SET held_micros = g.held_micros + part.micros
    FROM part
    WHERE g.id = part.id
    RETURNING part.micros
), promo AS (
    SELECT (SELECT coalesce(sum(micros), 0) FROM taken)::bigint AS micros
    FROM org_period
), locked AS (
    SELECT b.account_id, CASE b.account_id
        WHEN %(account_id)s::uuid THEN %(amount_micros)s::bigint - promo.micros ELSE promo.micros
        END AS micros
    FROM promo CROSS JOIN billing_balance AS b
    WHERE b.account_id IN (%(account_id)s::uuid, %(promo_account_id)s::uuid)
    ORDER BY b.account_id
    FOR NO KEY UPDATE OF b
), balance AS (
    UPDATE billing_balance AS b
    SET held_micros = b.held_micros + locked.micros
    FROM locked
    WHERE b.account_id = locked.account_id AND b.posted_micros - b.held_micros >= locked.micros
    RETURNING b.account_id
), hold AS (
    INSERT INTO billing_hold ({", ".join(HOLD_COLUMNS)}, promo_micros)
    SELECT {_VALUES}, promo.micros
    FROM promo
    WHERE (SELECT count(*) FROM balance) = 2
    RETURNING id
), held_part AS (
    INSERT INTO billing_grantpart (
        hold_id, grant_id, amount_micros, captured_micros, refunded_micros
    )
    SELECT hold.id, part.id, part.micros, 0, 0
    FROM hold CROSS JOIN part
)
"""  # noqa: S608 - made of constants
"""As `AUTHORIZE_CTES`, of promotional credit first and then of the wallet.

The grants that expire first are taken first. A grant or balance that another transaction has just
changed is read as that one left it: `FOR NO KEY UPDATE` waits for it.
"""

AUTHORIZE: Final = f"""
WITH {PROMO_AUTHORIZE_CTES.format(after=_ALWAYS)}
SELECT (SELECT count(*) FROM key_period), (SELECT count(*) FROM org_period),
    (SELECT count(*) FROM hold), (SELECT coalesce(sum(micros), 0)::bigint FROM promo)
"""  # noqa: S608 - made of constants
"""Authorize; the answer counts how far it came: the first zero names what did not suffice.

Last is how much promotional credit there was for it.
"""

_CLOSE: Final = """
hold AS (
    UPDATE billing_hold AS h
    SET status = %(status)s, captured_micros = %(captured_micros)s,
        captured_count = %(captured_count)s, closed_at = %(closed_at)s, digest = %(hold_digest)s
    FROM {after}
    WHERE h.id = %(hold_id)s AND h.status = 'authorized'
    RETURNING h.organization_id, h.api_key_id, h.account_id, h.amount_micros, h.captured_micros,
        h.promo_micros, h.budget_period
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

_CLOSE_PROMO: Final = f"""{_CLOSE}
held_part AS (
    SELECT part.id, part.grant_id, part.amount_micros, g.expires_at
    FROM org_period CROSS JOIN billing_grantpart AS part
    JOIN billing_grant AS g ON g.id = part.grant_id
    WHERE part.hold_id = %(hold_id)s::uuid
    ORDER BY g.expires_at, g.id
    FOR NO KEY UPDATE OF g
), part AS (
    SELECT id, grant_id, amount_micros,
        greatest(least(amount_micros, %(promo_captured)s::bigint - earlier), 0)::bigint AS captured
    FROM (
        SELECT *, sum(amount_micros) OVER (ORDER BY expires_at, grant_id) - amount_micros AS earlier
        FROM held_part
    ) AS ordered
), taken AS (
    UPDATE billing_grantpart AS p
    SET captured_micros = part.captured
    FROM part
    WHERE p.id = part.id AND part.captured > 0
), given AS (
    UPDATE billing_grant AS g
    SET held_micros = g.held_micros - part.amount_micros,
        captured_micros = g.captured_micros + part.captured
    FROM part
    WHERE g.id = part.grant_id
    RETURNING g.id
), locked AS (
    SELECT b.account_id
    FROM (SELECT count(*) FROM given) AS given CROSS JOIN billing_balance AS b
    WHERE b.account_id IN (%(wallet_id)s::uuid, %(promo_account_id)s::uuid)
    ORDER BY b.account_id
    FOR NO KEY UPDATE OF b
), """  # noqa: S608 - made of constants

CAPTURE_CTES: Final = _CLOSE + ENTRY_CTES.format(after="org_period", prefix="")
"""Close the hold as captured after the rows of `{after}` exist, and book its entry.

Without a row in `entry` the transaction must be rolled back.
"""

PROMO_CAPTURE_CTES: Final = f"""{_CLOSE_PROMO}
freed AS (
    UPDATE billing_balance AS b
    SET held_micros = b.held_micros - %(freed_micros)s::bigint
    FROM hold, (SELECT count(*) FROM locked) AS locked
    WHERE b.account_id = hold.account_id AND %(freed_micros)s::bigint > 0
    RETURNING b.account_id
), settled AS (
    SELECT FROM hold, (SELECT count(*) FROM freed) AS freed
    WHERE (SELECT count(*) FROM locked) = 2
), {ENTRY_CTES.format(after="settled", prefix="")}"""  # noqa: S608 - made of constants
"""As `CAPTURE_CTES`, for a hold that has promotional credit, which pays first.

A wallet that pays nothing is given back what it held beside the entry.
"""

_CAPTURE: Final = "WITH {capture} SELECT count(*) FROM entry"
CAPTURE: Final = {
    False: _CAPTURE.format(capture=CAPTURE_CTES.format(after=_ALWAYS)),
    True: _CAPTURE.format(capture=PROMO_CAPTURE_CTES.format(after=_ALWAYS)),
}
"""Close the hold as captured and book its entry, without promotional credit or with it.

The answer is 1 when both happened.
"""

_RELEASE: Final = f"""
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
_PROMO_RELEASE: Final = f"""
WITH {_CLOSE_PROMO.format(after=_ALWAYS)}
balance AS (
    UPDATE billing_balance AS b
    SET held_micros = b.held_micros - CASE b.account_id
        WHEN hold.account_id THEN hold.amount_micros - hold.promo_micros ELSE hold.promo_micros END
    FROM hold, locked
    WHERE b.account_id = locked.account_id
    RETURNING b.account_id
)
SELECT count(*) / 2 FROM balance
"""  # noqa: S608 - made of constants
RELEASE: Final = {False: _RELEASE, True: _PROMO_RELEASE}
"""Close the hold as released and give its money back, without promotional credit or with it.

The answer is 1 when both happened.
"""
