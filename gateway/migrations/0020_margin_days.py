"""Sums of revenue and cost by day, and the trigger that writes what they count."""

from django.db import migrations, models

UUID = """
CREATE FUNCTION gateway_uuid(said text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN said ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN said::uuid END
$$;
"""
# By statement: an entry's postings come in one.
TRIGGER = """
CREATE FUNCTION gateway_add_margin_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO gateway_marginfact (
        day, code, currency, entry_reference, line_reference, micros, images, lines
    )
    SELECT (entry.effective_at AT TIME ZONE 'UTC')::date, account.code, account.currency,
        entry.reference, added.reference,
        sum(CASE WHEN (added.direction = 'debit') = (account.kind IN ('asset', 'expense'))
            THEN added.amount_micros ELSE -added.amount_micros END),
        sum(CASE WHEN account.code <> 'revenue' THEN 0
            WHEN added.direction = 'credit' THEN 1 ELSE -1 END),
        count(*)
    FROM added
    JOIN billing_account AS account ON account.id = added.account_id
        AND account.code IN ('revenue', 'fx_spread', 'provider_cost')
    JOIN billing_journalentry AS entry ON entry.id = added.entry_id
    GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END $$;
CREATE TRIGGER gateway_margin_facts
    AFTER INSERT ON billing_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION gateway_add_margin_facts();
"""
# The trigger's lock keeps writers out until this transaction ends: what is there now is read here,
# what comes later passes the trigger. The sweeper says whose these facts are.
EXISTING = """
INSERT INTO gateway_marginfact (
    day, code, currency, entry_reference, line_reference, micros, images, lines
)
SELECT (entry.effective_at AT TIME ZONE 'UTC')::date, account.code, account.currency,
    entry.reference, posting.reference,
    CASE WHEN (posting.direction = 'debit') = (account.kind IN ('asset', 'expense'))
        THEN posting.amount_micros ELSE -posting.amount_micros END,
    CASE WHEN account.code <> 'revenue' THEN 0
        WHEN posting.direction = 'credit' THEN 1 ELSE -1 END,
    1
FROM billing_posting AS posting
JOIN billing_account AS account ON account.id = posting.account_id
    AND account.code IN ('revenue', 'fx_spread', 'provider_cost')
JOIN billing_journalentry AS entry ON entry.id = posting.entry_id;
"""
REVERSE = """
DROP TRIGGER gateway_margin_facts ON billing_posting;
DROP FUNCTION gateway_add_margin_facts();
DROP FUNCTION gateway_uuid(text);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0019_quote_spread'),
        ('billing', '0011_account_days'),
    ]

    operations = [
        migrations.CreateModel(
            name='MarginDay',
            fields=[
                ('pk', models.CompositePrimaryKey('day', 'organization_id', 'model', 'provider', 'code', 'currency', blank=True, editable=False, primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('organization_id', models.UUIDField()),
                ('model', models.CharField(max_length=100)),
                ('provider', models.CharField(max_length=20)),
                ('code', models.CharField(max_length=32)),
                ('currency', models.CharField(max_length=3)),
                ('micros', models.BigIntegerField()),
                ('images', models.BigIntegerField()),
                ('lines', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='MarginFact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(db_index=True)),
                ('code', models.CharField(max_length=32)),
                ('currency', models.CharField(max_length=3)),
                ('entry_reference', models.CharField(max_length=255)),
                ('line_reference', models.CharField(max_length=255)),
                ('micros', models.BigIntegerField()),
                ('images', models.IntegerField()),
                ('lines', models.IntegerField()),
            ],
        ),
        migrations.RunSQL([UUID, TRIGGER, EXISTING], [REVERSE]),
    ]
