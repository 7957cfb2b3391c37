"""Images with their holds, attempts, entries and postings, made by Postgres itself.

They are as the gateway would have written them: digests, chains and balances are right, and
`verify_ledger` finds nothing. Which organization, model and outcome an image has follows from the
seed; ids do not.
"""

from collections.abc import Sequence
from typing import Any, Final

from bench.volume.rows import Cursor, bare_tables

DAYS: Final = 90
# The share of images whose attempt cost money and gave nothing, and of those that cost nothing.
WASTED: Final = 0.03
FAILED: Final = 0.02
OPEN_HOLDS: Final = 500
TABLES: Final = (
    "gateway_generation",
    "gateway_attempt",
    "gateway_artifact",
    "billing_hold",
    "billing_journalentry",
    "billing_posting",
    "billing_balance",
    "billing_budgetperiod",
)
_MICROSECONDS: Final = "(extract(epoch FROM {}) * 1000000)::bigint"

_TOOLS: Final = """
CREATE FUNCTION bench_link(bytea, bytea, bytea) RETURNS bytea LANGUAGE sql IMMUTABLE
    AS $$ SELECT sha256(coalesce($1, $2) || $3) $$;
CREATE AGGREGATE bench_chain(bytea, bytea) (SFUNC = bench_link, STYPE = bytea);
CREATE FUNCTION bench_digest(text) RETURNS bytea LANGUAGE sql IMMUTABLE
    AS $$ SELECT sha256(convert_to($1, 'UTF8')) $$;
"""
_OWNERS: Final = """
CREATE TABLE bench_owner AS
SELECT own.number, own.organization_id, string_to_array(own.keys, ' ')::uuid[] AS keys,
    account.id AS account_id, account.currency, balance.head, balance.seq
FROM unnest(%s::uuid[], %s::text[]) WITH ORDINALITY AS own (organization_id, keys, number)
JOIN billing_account AS account
    ON account.organization_id = own.organization_id AND account.code = 'wallet'
JOIN billing_balance AS balance ON balance.account_id = account.id
"""
_PRICES: Final = """
CREATE TABLE bench_price (
    number integer, currency text, model text, parameters jsonb, provider text, upstream text,
    pixels bigint, unit bigint, exchanged bigint, list_unit bigint, list_amount numeric,
    markup numeric, markup_id bigint, rate numeric, fx_rate_id bigint, spread numeric,
    spread_id bigint, version_id bigint, cost bigint
)
"""
# Half of all is the first organization's; models are skewed as they are in life.
_IMAGES: Final = f"""
CREATE UNLOGGED TABLE bench_image AS
SELECT seed.n, seed.status, owner.organization_id, owner.account_id, owner.number AS owner,
    owner.keys[1 + mod(n / 2, cardinality(owner.keys))] AS api_key_id, price.*,
    created_at, created_at + took AS finished_at,
    uuidv7(created_at - clock_timestamp()) AS id, uuidv7(created_at - clock_timestamp()) AS hold_id,
    uuidv7(created_at + took - clock_timestamp()) AS attempt_id,
    uuidv7(created_at + took - clock_timestamp()) AS artifact_id,
    uuidv7(created_at + took - clock_timestamp()) AS entry_id,
    uuidv7(created_at + took - clock_timestamp()) AS cost_entry_id
FROM (
    SELECT n, 1 + floor(%(models)s * power(random(), 2))::integer AS model,
        CASE WHEN mod(n, 2) = 0 THEN 1 ELSE 2 + mod(n / 2, %(owners)s - 1) END AS owner,
        date_trunc('milliseconds', CASE WHEN n > %(ended)s THEN now() - interval '20 seconds'
            ELSE now() - interval '2 minutes'
                - make_interval(secs => {DAYS} * 86400.0 * (%(ended)s - n) / %(ended)s) END)
            AS created_at,
        make_interval(secs => 3 + round((20 * power(random(), 2))::numeric, 3)::float8) AS took,
        CASE WHEN n > %(ended)s THEN 'queued' WHEN luck < {WASTED} THEN 'wasted'
            WHEN luck < {WASTED + FAILED} THEN 'failed' ELSE 'succeeded' END AS status
    FROM (SELECT n, random() AS luck FROM generate_series(1, %(all)s) AS n) AS drawn
) AS seed
JOIN bench_owner AS owner ON owner.number = seed.owner
JOIN bench_price AS price ON price.number = seed.model AND price.currency = owner.currency
"""
_GENERATIONS: Final = """
INSERT INTO gateway_generation (
    id, organization_id, api_key_id, livemode, is_sandboxed, status, model, requested_model,
    parameters, "user", client_request_id, dropped_parameters, fingerprint, currency, unit_micros,
    quoted_micros, quoted_list_micros, charged_micros, queue, plan, route_index, recoveries,
    answered_at, served_by, image_adjusted, error, created_at, deadline_at, started_at, finished_at,
    has_stray_objects
)
SELECT id, organization_id, api_key_id, true, false,
    CASE WHEN status IN ('wasted', 'failed') THEN 'failed' ELSE status END, model, model,
    parameters, '', '', '[]', sha256(n::text::bytea), currency, unit, unit, list_unit,
    CASE status WHEN 'succeeded' THEN unit ELSE 0 END, provider,
    jsonb_build_array(
        jsonb_build_object('queue', provider, 'provider', provider, 'upstream_model', upstream)
    ), 0, 0,
    CASE WHEN status <> 'queued' THEN finished_at END,
    CASE status WHEN 'succeeded' THEN provider || '/' || upstream ELSE '' END, '',
    CASE WHEN status IN ('wasted', 'failed') THEN jsonb_build_object('code', 'provider_unavailable',
        'message', 'The provider did not draw it.', 'category', 'unavailable', 'retryable', false)
        END,
    created_at, created_at + interval '1 day',
    CASE WHEN status <> 'queued' THEN created_at + interval '0.02 seconds' END,
    CASE WHEN status <> 'queued' THEN finished_at END, false
FROM bench_image ORDER BY n
"""
_ATTEMPTS: Final = """
INSERT INTO gateway_attempt (
    id, generation_id, number, provider, upstream_model, is_sandboxed, upstream_id,
    upstream_request_id, status, error_code, error_message, cost_micros, claim_token, started_at,
    finished_at
)
SELECT attempt_id, id, 1, provider, upstream, false, '', 'upstream-' || n,
    CASE status WHEN 'succeeded' THEN 'succeeded' ELSE 'failed' END, '', '',
    CASE status WHEN 'failed' THEN 0 ELSE cost END, id, created_at + interval '0.02 seconds',
    finished_at
FROM bench_image WHERE status <> 'queued' ORDER BY n
"""
_ARTIFACTS: Final = """
INSERT INTO gateway_artifact (
    id, generation_id, index, is_public, key, content_type, sha256, size_bytes, width, height,
    revised_prompt, created_at
)
SELECT artifact_id, id, 0, true, organization_id || '/' || id || '/0.png', 'image/png',
    sha256(n::text::bytea), 1500000, 1024, 1024, '', finished_at
FROM bench_image WHERE status = 'succeeded' ORDER BY n
"""
# The digests are those of `billing.digests`.
_HOLDS: Final = f"""
INSERT INTO billing_hold (
    id, organization_id, account_id, api_key_id, reference, amount_micros, unit_micros,
    list_unit_micros, count, currency, price_version_id, pixels, list_amount, list_currency, markup,
    markup_version_id, rate, fx_rate_id, spread, spread_version_id, budget_period, deadline_at,
    authorized_at, status, captured_micros, captured_count, closed_at, digest
)
SELECT hold_id, organization_id, account_id, api_key_id, id::text, unit, unit, list_unit, 1,
    currency, version_id, pixels, list_amount, 'USD', markup, markup_id, rate, fx_rate_id, spread,
    spread_id, period, deadline, created_at, outcome, captured, images, closed_at,
    bench_digest(concat('[1,"', hold_id, '","', organization_id, '","', account_id, '","',
        api_key_id, '","', id, '",', unit, ',', unit, ',', list_unit, ',1,"', currency, '",',
        version_id, ',', pixels, ',"', trim_scale(list_amount), '","USD","', trim_scale(markup),
        '",', markup_id, ',"', trim_scale(rate), '",', coalesce(fx_rate_id::text, 'null'), ',"',
        period, '",', {_MICROSECONDS.format("deadline")}, ',',
        {_MICROSECONDS.format("created_at")}, ',"', outcome, '",', captured, ',', images, ',',
        coalesce({_MICROSECONDS.format("closed_at")}::text, 'null'),
        CASE WHEN spread_id IS NOT NULL
            THEN concat(',"spread","', trim_scale(spread), '",', spread_id) END, ']'))
FROM bench_image, LATERAL (
    SELECT date_trunc('month', created_at, 'UTC')::date AS period,
        created_at + interval '1 day' AS deadline,
        CASE status WHEN 'queued' THEN 'authorized' WHEN 'succeeded' THEN 'captured'
            ELSE 'released' END AS outcome,
        CASE status WHEN 'succeeded' THEN unit ELSE 0 END AS captured,
        (status = 'succeeded')::integer AS images,
        CASE WHEN status <> 'queued' THEN finished_at END AS closed_at
) AS closed
ORDER BY n
"""
_LINES: Final = """
CREATE UNLOGGED TABLE bench_line AS
SELECT n, entry_id, line, posted.account_id, direction, amount, posted.currency, reference,
    wallet_id, at,
    bench_digest(concat('[1,"', entry_id, '",', line, ',"', posted.account_id, '","', direction,
        '",', amount, ',"', posted.currency, '","', reference, '"]')) AS digest
FROM (
    SELECT n, image.entry_id,
        CASE WHEN image.currency = 'USD' AND place = 5 THEN 2 ELSE place END AS line,
        part.account_id, direction, amount, part.currency, artifact_id::text AS reference,
        CASE place WHEN 1 THEN image.account_id END AS wallet_id, finished_at AS at
    FROM bench_image AS image, LATERAL (VALUES
        (1, image.account_id, 'debit', unit, image.currency),
        (2, bench_account('fx_clearing', image.currency), 'credit', exchanged, image.currency),
        (3, bench_account('fx_spread', image.currency), 'credit', unit - exchanged, image.currency),
        (4, bench_account('fx_clearing', 'USD'), 'debit', list_unit, 'USD'),
        (5, bench_account('revenue', 'USD'), 'credit', list_unit, 'USD')
    ) AS part (place, account_id, direction, amount, currency)
    WHERE status = 'succeeded' AND (image.currency <> 'USD' OR place IN (1, 5))
    UNION ALL
    SELECT n, cost_entry_id, line, bench_account(code, 'USD'), direction, cost, 'USD', provider,
        NULL, finished_at
    FROM bench_image, (VALUES (1, 'provider_cost', 'debit'), (2, 'provider_payable', 'credit'))
        AS part (line, code, direction)
    WHERE status IN ('succeeded', 'wasted') AND cost > 0
) AS posted
"""
_ACCOUNTS: Final = """
CREATE FUNCTION bench_account(text, text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (SELECT id FROM billing_account
        WHERE organization_id IS NULL AND code = $1 AND currency = $2);
END $$
"""
_ENTRY_ROWS: Final = f"""
CREATE UNLOGGED TABLE bench_entry AS
SELECT n, entry.entry_id AS id, kind, key, reference, description, at, lines,
    bench_digest(concat('[1,"', entry.entry_id, '","', kind, '","', key, '","', reference, '","',
        description, '",', {_MICROSECONDS.format("at")}, ',', {_MICROSECONDS.format("at")}, ',',
        lines, ',["', digests, '"]]')) AS digest
FROM (
    SELECT entry_id, count(*) AS lines, string_agg(encode(digest, 'hex'), '","' ORDER BY line)
        AS digests, bool_or(wallet_id IS NOT NULL) AS is_capture, min(at) AS at, min(n) AS n
    FROM bench_line GROUP BY entry_id
) AS entry
JOIN bench_image AS image USING (n), LATERAL (
    SELECT CASE WHEN is_capture THEN 'capture' ELSE 'attempt_cost' END AS kind,
        CASE WHEN is_capture THEN 'generation:' || id ELSE 'attempt:' || attempt_id END AS key,
        CASE WHEN is_capture THEN id ELSE attempt_id END::text AS reference,
        CASE WHEN is_capture THEN '1 of 1 images' ELSE 'Cost of an attempt at ' || provider END
            AS description
) AS words
"""
_ENTRIES: Final = """
INSERT INTO billing_journalentry (
    id, kind, idempotency_key, reference, description, effective_at, booked_at, lines, digest
)
SELECT id, kind, key, reference, description, at, at, lines, digest FROM bench_entry ORDER BY n
"""
_CHAIN: Final = """
CREATE UNLOGGED TABLE bench_link AS
SELECT line.entry_id, line.wallet_id,
    owner.seq + row_number() OVER own AS seq,
    bench_chain(owner.head, entry.digest) OVER own AS head
FROM bench_line AS line
JOIN bench_entry AS entry ON entry.id = line.entry_id
JOIN bench_owner AS owner ON owner.account_id = line.wallet_id
WINDOW own AS (
    PARTITION BY line.wallet_id ORDER BY line.at, line.n ROWS UNBOUNDED PRECEDING
)
"""
_POSTINGS: Final = """
INSERT INTO billing_posting (
    entry_id, line, account_id, direction, amount_micros, currency, reference, chain_seq,
    chain_hash, digest
)
SELECT line.entry_id, line.line, line.account_id, line.direction, line.amount, line.currency,
    line.reference, link.seq, link.head, line.digest
FROM bench_line AS line
LEFT JOIN bench_link AS link ON link.entry_id = line.entry_id AND link.wallet_id = line.wallet_id
ORDER BY line.n, line.entry_id, line.line
"""
_BALANCES: Final = """
UPDATE billing_balance AS balance
SET seq = last.seq, head = last.head, posted_micros = posted_micros - captured, held_micros = held
FROM (
    SELECT account_id, coalesce(sum(unit) FILTER (WHERE status = 'succeeded'), 0) AS captured,
        coalesce(sum(unit) FILTER (WHERE status = 'queued'), 0) AS held
    FROM bench_image GROUP BY account_id
) AS spent
JOIN (
    SELECT DISTINCT ON (wallet_id) wallet_id, seq, head FROM bench_link ORDER BY wallet_id, seq DESC
) AS last ON last.wallet_id = spent.account_id
WHERE spent.account_id = balance.account_id
"""
_BUDGETS: Final = """
INSERT INTO billing_budget (organization_id, api_key_id)
SELECT organization_id, NULL FROM bench_owner
UNION ALL
SELECT organization_id, unnest(keys) FROM bench_owner
ON CONFLICT DO NOTHING
"""
_PERIODS: Final = """
INSERT INTO billing_budgetperiod (budget_id, period, held_micros, captured_micros)
SELECT budget.id, hold.budget_period,
    sum(CASE hold.status WHEN 'authorized' THEN hold.amount_micros ELSE 0 END),
    sum(hold.captured_micros)
FROM billing_hold AS hold
JOIN billing_budget AS budget ON budget.organization_id = hold.organization_id
    AND (budget.api_key_id IS NULL OR budget.api_key_id = hold.api_key_id)
GROUP BY 1, 2
"""
_FILL: Final = (
    _GENERATIONS,
    _ATTEMPTS,
    _ARTIFACTS,
    _HOLDS,
    _ENTRIES,
    _POSTINGS,
    _BALANCES,
    _BUDGETS,
    _PERIODS,
)


def add_rows(
    cursor: Cursor,
    *,
    owners: tuple[Sequence[Any], Sequence[str]],
    prices: Sequence[Sequence[Any]],
    images: int,
    seed: int,
) -> None:
    """Add so many ended images, and some that are open, with all that belongs to them.

    Args:
        cursor: Of a connection outside a transaction.
        owners: Ids of organizations, and of each the ids of its keys with spaces between; each
            organization has a wallet with money, and every currency has the same prices.
        prices: Rows of `bench_price`.
        images: How many.
        seed: What is drawn follows from it.
    """
    # One process draws, in one order; nothing of it is worth a log of its own.
    for name, value in (
        ("max_parallel_workers_per_gather", "0"),
        ("work_mem", "'256MB'"),
        ("synchronous_commit", "off"),
        ("statement_timeout", "0"),
    ):
        cursor.execute(f"SET {name} = {value}")
    for statement in (*_TOOLS.strip().split(";\n"), _ACCOUNTS, _PRICES):
        cursor.execute(statement)
    cursor.execute(_OWNERS, owners)
    places = ", ".join(["%s"] * len(prices[0]))
    for price in prices:
        cursor.execute(f"INSERT INTO bench_price VALUES ({places})", price)
    cursor.execute("SELECT setseed(%s)", [seed % 1000 / 1000])
    sizes = {"ended": images, "all": images + OPEN_HOLDS, "owners": len(owners[0])}
    models = max(price[0] for price in prices)
    cursor.execute(_IMAGES, {**sizes, "models": models})  # type: ignore[arg-type] # named
    for statement in (_LINES, _ENTRY_ROWS, _CHAIN):
        cursor.execute(statement)
    with bare_tables(cursor, TABLES):
        for statement in _FILL:
            cursor.execute(statement)
    cursor.execute("DROP TABLE bench_image, bench_line, bench_entry, bench_link")
    cursor.execute(f"VACUUM ANALYZE {', '.join(TABLES)}")
