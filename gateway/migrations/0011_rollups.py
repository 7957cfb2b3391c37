"""Rollups, and the triggers that write what they count."""

from django.db import migrations, models

# Quarter octaves: step 0 is one second, step 4 two. Times below a millisecond count as one.
LATENCY_STEP = """
CREATE FUNCTION gateway_latency_step(began timestamptz, ended timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT floor(
        4 * ln(greatest(extract(epoch FROM ended - began)::float8, 0.001)) / ln(2::float8)
    )::integer
$$;
"""

ENDING = """
CREATE FUNCTION gateway_add_ending_fact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO gateway_fact (
        organization_id, livemode, kind, at, model, api_key_id, "user", label, currency,
        count, images, micros
    ) VALUES (
        NEW.organization_id, NEW.livemode, NEW.status, NEW.finished_at, NEW.model,
        coalesce(NEW.api_key_id, '00000000-0000-0000-0000-000000000000'), '',
        CASE NEW.status
            WHEN 'succeeded' THEN gateway_latency_step(NEW.created_at, NEW.finished_at)::text
            WHEN 'failed' THEN left(coalesce(NEW.error ->> 'code', ''), 100)
            ELSE ''
        END,
        NEW.currency, 1,
        CASE NEW.status
            WHEN 'succeeded' THEN coalesce((NEW.parameters ->> 'n')::integer, 1)
                - jsonb_array_length(NEW.undelivered)
            ELSE 0
        END,
        0
    );
    RETURN NULL;
END $$;
CREATE TRIGGER gateway_generation_ended
    AFTER UPDATE OF finished_at ON gateway_generation FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL)
    EXECUTE FUNCTION gateway_add_ending_fact();
CREATE TRIGGER gateway_generation_added_ended
    AFTER INSERT ON gateway_generation FOR EACH ROW
    WHEN (NEW.finished_at IS NOT NULL)
    EXECUTE FUNCTION gateway_add_ending_fact();
"""

# Billing knows the generation as the hold's reference only.
CHARGE = """
CREATE FUNCTION gateway_add_charge_fact() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    its_model text;
    its_user text;
BEGIN
    IF NEW.reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        SELECT generation.model, generation."user" INTO its_model, its_user
        FROM gateway_generation AS generation WHERE generation.id = NEW.reference::uuid;
    END IF;
    INSERT INTO gateway_fact (
        organization_id, livemode, kind, at, model, api_key_id, "user", label, currency,
        count, images, micros
    ) VALUES (
        NEW.organization_id, true, 'charged', NEW.closed_at, coalesce(its_model, ''),
        coalesce(NEW.api_key_id, '00000000-0000-0000-0000-000000000000'),
        coalesce(its_user, ''), '', NEW.currency, 1, NEW.captured_count, NEW.captured_micros
    );
    RETURN NULL;
END $$;
CREATE TRIGGER gateway_hold_captured
    AFTER UPDATE OF status ON billing_hold FOR EACH ROW
    WHEN (OLD.status <> 'captured' AND NEW.status = 'captured')
    EXECUTE FUNCTION gateway_add_charge_fact();
CREATE TRIGGER gateway_hold_added_captured
    AFTER INSERT ON billing_hold FOR EACH ROW
    WHEN (NEW.status = 'captured')
    EXECUTE FUNCTION gateway_add_charge_fact();
"""

COST = """
CREATE FUNCTION gateway_add_cost_fact() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    difference bigint := NEW.cost_micros;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        difference := NEW.cost_micros - OLD.cost_micros;
    END IF;
    INSERT INTO gateway_fact (
        organization_id, livemode, kind, at, model, api_key_id, "user", label, currency,
        count, images, micros
    )
    SELECT generation.organization_id, generation.livemode, 'cost',
        coalesce(NEW.finished_at, NEW.started_at), generation.model,
        coalesce(generation.api_key_id, '00000000-0000-0000-0000-000000000000'), '',
        NEW.provider, 'USD', CASE WHEN difference = NEW.cost_micros THEN 1 ELSE 0 END, 0,
        difference
    FROM gateway_generation AS generation WHERE generation.id = NEW.generation_id;
    RETURN NULL;
END $$;
CREATE TRIGGER gateway_attempt_cost
    AFTER UPDATE OF cost_micros ON gateway_attempt FOR EACH ROW
    WHEN (NEW.cost_micros <> OLD.cost_micros)
    EXECUTE FUNCTION gateway_add_cost_fact();
CREATE TRIGGER gateway_attempt_added_cost
    AFTER INSERT ON gateway_attempt FOR EACH ROW
    WHEN (NEW.cost_micros > 0)
    EXECUTE FUNCTION gateway_add_cost_fact();
"""

# The triggers' locks keep writers out until this transaction ends: what is there now is read here,
# what comes later passes the triggers.
EXISTING = """
INSERT INTO gateway_fact (
    organization_id, livemode, kind, at, model, api_key_id, "user", label, currency,
    count, images, micros
)
SELECT organization_id, livemode, status, finished_at, model,
    coalesce(api_key_id, '00000000-0000-0000-0000-000000000000'), '',
    CASE status
        WHEN 'succeeded' THEN gateway_latency_step(created_at, finished_at)::text
        WHEN 'failed' THEN left(coalesce(error ->> 'code', ''), 100)
        ELSE ''
    END,
    currency, 1,
    CASE status
        WHEN 'succeeded'
            THEN coalesce((parameters ->> 'n')::integer, 1) - jsonb_array_length(undelivered)
        ELSE 0
    END,
    0
FROM gateway_generation WHERE finished_at IS NOT NULL
UNION ALL
SELECT hold.organization_id, true, 'charged', hold.closed_at, coalesce(generation.model, ''),
    coalesce(hold.api_key_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(generation."user", ''), '', hold.currency, 1, hold.captured_count,
    hold.captured_micros
FROM billing_hold AS hold
LEFT JOIN gateway_generation AS generation ON generation.id::text = hold.reference
WHERE hold.status = 'captured'
UNION ALL
SELECT generation.organization_id, generation.livemode, 'cost',
    coalesce(attempt.finished_at, attempt.started_at), generation.model,
    coalesce(generation.api_key_id, '00000000-0000-0000-0000-000000000000'), '',
    attempt.provider, 'USD', 1, 0, attempt.cost_micros
FROM gateway_attempt AS attempt
JOIN gateway_generation AS generation ON generation.id = attempt.generation_id
WHERE attempt.cost_micros > 0;
"""

REVERSE = """
DROP TRIGGER gateway_attempt_added_cost ON gateway_attempt;
DROP TRIGGER gateway_attempt_cost ON gateway_attempt;
DROP TRIGGER gateway_hold_added_captured ON billing_hold;
DROP TRIGGER gateway_hold_captured ON billing_hold;
DROP TRIGGER gateway_generation_added_ended ON gateway_generation;
DROP TRIGGER gateway_generation_ended ON gateway_generation;
DROP FUNCTION gateway_add_cost_fact();
DROP FUNCTION gateway_add_charge_fact();
DROP FUNCTION gateway_add_ending_fact();
DROP FUNCTION gateway_latency_step(timestamptz, timestamptz);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0010_thumbnails_and_exports'),
        ('billing', '0003_defaults'),
    ]

    operations = [
        migrations.CreateModel(
            name='Fact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('organization_id', models.UUIDField(db_index=True)),
                ('livemode', models.BooleanField()),
                ('kind', models.CharField(max_length=16)),
                ('at', models.DateTimeField()),
                ('model', models.CharField(max_length=100)),
                ('api_key_id', models.UUIDField()),
                ('user', models.CharField(max_length=512)),
                ('label', models.CharField(max_length=100)),
                ('currency', models.CharField(max_length=3)),
                ('count', models.IntegerField()),
                ('images', models.IntegerField()),
                ('micros', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Rollup',
            fields=[
                ('pk', models.CompositePrimaryKey('organization_id', 'grain', 'kind', 'livemode', 'starts_at', 'model', 'api_key_id', 'currency', 'label', 'user', blank=True, editable=False, primary_key=True, serialize=False)),
                ('organization_id', models.UUIDField()),
                ('grain', models.CharField(choices=[('quarter', 'Quarter of an hour'), ('day', 'Day')], max_length=8)),
                ('kind', models.CharField(choices=[('charged', 'Captured'), ('charged_user', 'Captured, by user'), ('succeeded', 'Ended with images'), ('failed', 'Ended without'), ('canceled', 'Canceled'), ('cost', 'Cost of attempts')], max_length=16)),
                ('livemode', models.BooleanField()),
                ('starts_at', models.DateTimeField()),
                ('model', models.CharField(max_length=100)),
                ('api_key_id', models.UUIDField()),
                ('currency', models.CharField(max_length=3)),
                ('label', models.CharField(max_length=100)),
                ('user', models.CharField(max_length=512)),
                ('count', models.BigIntegerField()),
                ('images', models.BigIntegerField()),
                ('micros', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='RollupZone',
            fields=[
                ('organization_id', models.UUIDField(primary_key=True, serialize=False)),
                ('zone', models.CharField(max_length=64)),
            ],
        ),
        migrations.RunSQL([LATENCY_STEP, ENDING, CHARGE, COST, EXISTING], [REVERSE]),
    ]
