"""Rows of an organization that is as large as all others together, made by Postgres itself.

What triggers, foreign keys and indexes would do a row at a time is left out while the rows are
made, and done once afterwards.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

DAYS: Final = 60
RARE_MODEL: Final = "stability/sd3.5-medium"
# So many of a million wait.
QUEUED_SHARE: Final = 0.02
TABLES: Final = (
    "gateway_generation",
    "gateway_attempt",
    "gateway_artifact",
    "billing_hold",
    "billing_journalentry",
    "billing_posting",
    "billing_balance",
)


class Cursor(Protocol):
    """What is used of Django's cursor, which has no public type."""

    def execute(self, sql: str, params: Sequence[Any] | None = None) -> object: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class Owner:
    """An organization that gets rows: the first one half of all, the others share the rest."""

    organization_id: UUID
    api_key_ids: tuple[UUID, ...]


_OWNERS: Final = """
CREATE TABLE bench_owner AS
SELECT own.number, own.organization_id, string_to_array(own.keys, ' ')::uuid[] AS keys,
    account.id AS account_id
FROM unnest(%s::uuid[], %s::text[]) WITH ORDINALITY AS own (organization_id, keys, number)
JOIN billing_account AS account
    ON account.organization_id = own.organization_id AND account.code = 'wallet'
"""
# Models and users are skewed as they are in life: a few have most.
_SEEDS: Final = f"""
CREATE UNLOGGED TABLE bench_seed AS
SELECT seed.*, uuidv7(created_at - clock_timestamp()) AS id, created_at + took AS finished_at
FROM (
    SELECT n, organization_id, account_id, keys[1 + mod(n / 2, cardinality(keys))] AS api_key_id,
        CASE WHEN n > %(ended)s THEN now() - make_interval(secs => 60.0 * (%(all)s - n) / %(all)s)
            ELSE now() - interval '2 minutes'
                - make_interval(secs => {DAYS} * 86400.0 * (%(ended)s - n) / %(ended)s) END
            AS created_at,
        make_interval(secs => 3 + 20 * power(random(), 2)) AS took,
        CASE WHEN n > %(ended)s THEN 'queued' WHEN mod(n, 20011) < 2 THEN 'canceled'
            WHEN random() < 0.02 THEN 'failed' ELSE 'succeeded' END AS status,
        CASE WHEN mod(n, 50021) < 2 THEN '{RARE_MODEL}'
            ELSE (ARRAY['openai/gpt-image-1', 'openai/dall-e-3', 'google/imagen-4', 'bfl/flux-pro',
                'xai/grok-2-image', 'openai/gpt-image-1-mini', 'ideogram/ideogram-v3',
                'google/gemini-2.5-flash-image'])[1 + floor(8 * power(random(), 2))::integer] END
            AS model,
        CASE WHEN mod(n / 2, 3) = 0 THEN '' ELSE 'user-' || floor(2000 * power(random(), 2)) END
            AS "user",
        CASE WHEN mod(n / 2, 2) = 0 THEN '' ELSE 'client-' || n END AS client_request_id,
        40000 + 1000 * mod(n, 7) AS micros
    FROM generate_series(1, %(all)s) AS n
    JOIN bench_owner ON number = CASE WHEN mod(n, 2) = 0 THEN 1
        ELSE 2 + mod(n / 2, (SELECT count(*) - 1 FROM bench_owner)) END
) AS seed
"""
_GENERATIONS: Final = """
INSERT INTO gateway_generation (
    id, organization_id, api_key_id, livemode, is_sandboxed, status, model, requested_model,
    parameters, "user", client_request_id, dropped_parameters, fingerprint, currency, unit_micros,
    quoted_micros, quoted_list_micros, charged_micros, queue, plan, route_index, recoveries,
    answered_at, served_by, image_adjusted, error, created_at, deadline_at, started_at, finished_at,
    has_stray_objects
)
SELECT id, organization_id, api_key_id, true, false, status, model, model,
    jsonb_build_object('prompt', 'a lighthouse at dusk, number ' || n || ', in the style of '
        || (ARRAY['oil', 'ink', 'watercolor', 'charcoal'])[1 + mod(n, 4)], 'n', 1, 'size',
        '1024x1024', 'quality', 'medium', 'output_format', 'png', 'response_format', 'url'),
    "user", client_request_id, '[]', sha256(n::text::bytea), 'USD', micros, micros, micros,
    CASE status WHEN 'succeeded' THEN micros ELSE 0 END, 'openai',
    '[{"queue": "openai", "provider": "openai", "upstream_model": "gpt-image-1"}]', 0, 0,
    CASE WHEN status <> 'queued' THEN finished_at END,
    CASE status WHEN 'succeeded' THEN model ELSE '' END, '',
    CASE status WHEN 'failed' THEN jsonb_build_object('code',
        (ARRAY['provider_unavailable', 'content_policy_violation', 'provider_timeout'])
            [1 + mod(n, 3)], 'message', 'The provider did not draw it.',
            'category', 'unavailable', 'retryable', false) END,
    created_at, created_at + interval '1 day',
    CASE WHEN status IN ('succeeded', 'failed') THEN created_at + interval '0.02 seconds' END,
    CASE WHEN status <> 'queued' THEN finished_at END, false
FROM bench_seed ORDER BY n
"""
_ATTEMPTS: Final = """
INSERT INTO gateway_attempt (
    id, generation_id, number, provider, upstream_model, is_sandboxed, upstream_id,
    upstream_request_id, status, error_code, error_message, cost_micros, claim_token, started_at,
    finished_at
)
SELECT uuidv7(finished_at - clock_timestamp()), id, 1, 'openai', 'gpt-image-1', false, '',
    'upstream-' || n, status, '', '', CASE status WHEN 'succeeded' THEN micros * 9 / 10 ELSE 0 END,
    id, created_at + interval '0.02 seconds', finished_at
FROM bench_seed WHERE status IN ('succeeded', 'failed') ORDER BY n
"""
_ARTIFACTS: Final = """
INSERT INTO gateway_artifact (
    id, generation_id, index, is_public, key, content_type, sha256, size_bytes, width, height,
    revised_prompt, created_at
)
SELECT uuidv7(finished_at - clock_timestamp()), id, 0, true,
    organization_id || '/' || id || '/0.png', 'image/png', sha256(n::text::bytea), 1500000, 1024,
    1024, '', finished_at
FROM bench_seed WHERE status = 'succeeded' ORDER BY n
"""
_HOLDS: Final = """
INSERT INTO billing_hold (
    id, organization_id, account_id, api_key_id, reference, amount_micros, unit_micros,
    list_unit_micros, count, currency, price_version_id, pixels, list_amount, list_currency, markup,
    rate, budget_period, deadline_at, authorized_at, status, captured_micros, captured_count,
    closed_at, digest
)
SELECT uuidv7(created_at - clock_timestamp()), organization_id, account_id, api_key_id, id::text,
    micros, micros, micros, 1, 'USD', (SELECT min(id) FROM billing_priceversion), 1048576,
    micros / 1e6, 'USD', 1, 1, date_trunc('month', created_at, 'UTC')::date,
    created_at + interval '1 day', created_at,
    CASE status WHEN 'queued' THEN 'authorized' WHEN 'succeeded' THEN 'captured'
        ELSE 'released' END,
    CASE status WHEN 'succeeded' THEN micros ELSE 0 END, (status = 'succeeded')::integer,
    CASE WHEN status <> 'queued' THEN finished_at END, sha256(n::text::bytea)
FROM bench_seed ORDER BY n
"""
_ENTRIES: Final = """
INSERT INTO billing_journalentry (
    id, kind, idempotency_key, reference, description, effective_at, booked_at, lines, digest
)
SELECT id, 'capture', 'capture:' || id, id::text, '', finished_at, finished_at, 2,
    sha256(n::text::bytea)
FROM bench_seed WHERE status = 'succeeded' ORDER BY n
"""
# The first entry of each wallet is its top-up.
_POSTINGS: Final = """
INSERT INTO billing_posting (
    entry_id, line, account_id, direction, amount_micros, currency, reference, chain_seq,
    chain_hash, digest
)
SELECT id, line, CASE line WHEN 1 THEN account_id ELSE revenue.account END,
    CASE line WHEN 1 THEN 'debit' ELSE 'credit' END, micros, 'USD', '',
    CASE line WHEN 1 THEN seq END, CASE line WHEN 1 THEN sha256(n::text::bytea) END,
    sha256(n::text::bytea)
FROM (
    SELECT *, 1 + row_number() OVER (PARTITION BY account_id ORDER BY n) AS seq
    FROM bench_seed WHERE status = 'succeeded'
) AS captured,
    (SELECT id AS account FROM billing_account WHERE code = 'cash' AND currency = 'USD') AS revenue,
    generate_series(1, 2) AS line
ORDER BY n, line
"""
_BALANCES: Final = """
UPDATE billing_balance AS balance
SET seq = seq + captures, posted_micros = posted_micros - captured, held_micros = held
FROM (
    SELECT account_id, count(*) FILTER (WHERE status = 'succeeded') AS captures,
        coalesce(sum(micros) FILTER (WHERE status = 'succeeded'), 0) AS captured,
        coalesce(sum(micros) FILTER (WHERE status = 'queued'), 0) AS held
    FROM bench_seed GROUP BY account_id
) AS spent
WHERE spent.account_id = balance.account_id
"""
_STATEMENTS: Final = (_GENERATIONS, _ATTEMPTS, _ARTIFACTS, _HOLDS, _ENTRIES, _POSTINGS, _BALANCES)
_REFERENCES: Final = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])
"""
# Those that stand for no constraint.
_INDEXES: Final = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index
WHERE indrelid = ANY(%s::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


def add_rows(cursor: Cursor, *, owners: Sequence[Owner], generations: int) -> None:
    """Add so many ended generations, and a fiftieth of them queued, with all that belongs to them.

    Each owner has a wallet in USD with one entry: its top-up.
    """
    keys = [" ".join(map(str, one.api_key_ids)) for one in owners]
    cursor.execute(_OWNERS, [[one.organization_id for one in owners], keys])
    everything = generations + int(generations * QUEUED_SHARE)
    cursor.execute(_SEEDS, {"ended": generations, "all": everything})  # type: ignore[arg-type] # named
    with bare_tables(cursor, TABLES):
        for statement in _STATEMENTS:
            cursor.execute(statement)
    cursor.execute("DROP TABLE bench_seed, bench_owner")
    # As autovacuum would do it.
    cursor.execute(f"VACUUM ANALYZE {', '.join(TABLES)}")


@contextmanager
def bare_tables(cursor: Cursor, tables: Sequence[str]) -> Iterator[None]:
    """Take triggers, foreign keys and indexes off the tables, and put them back."""
    cursor.execute("SET maintenance_work_mem = '256MB'")
    cursor.execute(_REFERENCES, [list(tables)])
    references = cursor.fetchall()
    cursor.execute(_INDEXES, [list(tables)])
    indexes = cursor.fetchall()
    for table in tables:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for table, name, _ in references:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        cursor.execute(definition)
    for table, name, definition in references:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for table in tables:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
