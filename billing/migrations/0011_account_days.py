"""Sums of postings by account and day, and the trigger that writes what they count."""

from django.db import migrations, models

# By statement: an entry's postings come in one, and its lines to one account are one fact.
TRIGGER = """
CREATE FUNCTION billing_add_posting_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO billing_postingfact (account_id, day, debit_micros, credit_micros, lines)
    SELECT added.account_id, (entry.effective_at AT TIME ZONE 'UTC')::date,
        coalesce(sum(added.amount_micros) FILTER (WHERE added.direction = 'debit'), 0),
        coalesce(sum(added.amount_micros) FILTER (WHERE added.direction = 'credit'), 0),
        count(*)
    FROM added JOIN billing_journalentry AS entry ON entry.id = added.entry_id
    GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_posting_facts
    AFTER INSERT ON billing_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION billing_add_posting_facts();
"""
# The trigger's lock keeps writers out until this transaction ends: what is there now is read here,
# what comes later passes the trigger.
EXISTING = """
INSERT INTO billing_accountday (account_id, day, debit_micros, credit_micros, lines)
SELECT posting.account_id, (entry.effective_at AT TIME ZONE 'UTC')::date,
    coalesce(sum(posting.amount_micros) FILTER (WHERE posting.direction = 'debit'), 0),
    coalesce(sum(posting.amount_micros) FILTER (WHERE posting.direction = 'credit'), 0),
    count(*)
FROM billing_posting AS posting JOIN billing_journalentry AS entry ON entry.id = posting.entry_id
GROUP BY 1, 2;
"""
REVERSE = """
DROP TRIGGER billing_posting_facts ON billing_posting;
DROP FUNCTION billing_add_posting_facts();
"""


def sums():
    names = ("debit_micros", "credit_micros", "lines")
    return [(name, models.BigIntegerField()) for name in names]


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_exchange_rates")]

    operations = [
        migrations.CreateModel(
            name="AccountDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account_id", models.UUIDField()),
                ("day", models.DateField()),
                *sums(),
            ],
        ),
        migrations.CreateModel(
            name="PostingFact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account_id", models.UUIDField(db_index=True)),
                ("day", models.DateField()),
                *sums(),
            ],
        ),
        migrations.RunSQL([TRIGGER, EXISTING], [REVERSE]),
    ]
