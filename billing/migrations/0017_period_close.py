"""Closed months, and the triggers that keep them closed.

Every entry holds its month open, by a shared advisory lock, until its transaction ends; closing a
month takes that lock alone, and so waits for what is being booked in it. An entry never waits: it
is refused as soon as its month is closed or about to be. Only entries of one month meet, so that
closing a month and booking in another have nothing to do with each other.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARDS = """
CREATE FUNCTION billing_month_number(month date) RETURNS integer IMMUTABLE LANGUAGE sql AS
    $$ SELECT (extract(year FROM month) * 12 + extract(month FROM month))::integer - 1 $$;

-- Keep a month open until the transaction ends; false if it is closed, or is being closed.
CREATE FUNCTION billing_keep_open(month_ date) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(6410277, billing_month_number(month_)) THEN
        RETURN false;
    END IF;
    -- A statement of its own: it sees what was committed before the lock was had.
    RETURN NOT EXISTS (SELECT FROM billing_periodclose WHERE month >= month_);
END $$;

-- Wait for what is being booked in a month, and let nothing more be until the transaction ends.
-- The first month that is closed closes all before it, too.
CREATE FUNCTION billing_lock_month(month_ date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(6410277, billing_month_number(month_));
    IF NOT EXISTS (SELECT FROM billing_periodclose) THEN
        PERFORM pg_advisory_xact_lock(6410277, billing_month_number(month_) - before)
        FROM generate_series(1, 120) AS before;
    END IF;
END $$;

CREATE FUNCTION billing_check_open_month() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT billing_keep_open(date_trunc('month', NEW.effective_at AT TIME ZONE 'UTC')::date) THEN
        RAISE EXCEPTION 'journal entry % takes effect in a closed month: %',
            NEW.id, NEW.effective_at
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_entry_open_month';
    END IF;
    RETURN NULL;
END $$;
-- After the insert: a repetition of an entry that is there already is none.
CREATE TRIGGER billing_entry_open_month
    AFTER INSERT ON billing_journalentry
    FOR EACH ROW EXECUTE FUNCTION billing_check_open_month();

CREATE FUNCTION billing_check_close() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_ date;
BEGIN
    PERFORM billing_lock_month(NEW.month);
    SELECT max(month) INTO last_ FROM billing_periodclose;
    IF last_ IS NULL AND EXISTS (
        SELECT FROM billing_journalentry
        WHERE effective_at < NEW.month::timestamp AT TIME ZONE 'UTC'
    ) OR NEW.month <> (last_ + interval '1 month')::date THEN
        RAISE EXCEPTION 'month % cannot be closed before those before it', NEW.month
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_periodclose_order';
    END IF;
    IF NEW.closed_at < (NEW.month + interval '1 month') AT TIME ZONE 'UTC' THEN
        RAISE EXCEPTION 'month % is not over', NEW.month
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_periodclose_over';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_periodclose_order
    BEFORE INSERT ON billing_periodclose FOR EACH ROW EXECUTE FUNCTION billing_check_close();
CREATE TRIGGER billing_periodclose_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_periodclose
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
REVERSE = """
DROP TRIGGER billing_entry_open_month ON billing_journalentry;
DROP TRIGGER billing_periodclose_immutable ON billing_periodclose;
DROP TRIGGER billing_periodclose_order ON billing_periodclose;
DROP FUNCTION billing_check_close();
DROP FUNCTION billing_check_open_month();
DROP FUNCTION billing_lock_month(date);
DROP FUNCTION billing_keep_open(date);
DROP FUNCTION billing_month_number(date);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0016_taxes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PeriodClose",
            fields=[
                ("month", models.DateField(primary_key=True, serialize=False)),
                ("closed_at", models.DateTimeField()),
                ("closed_by_label", models.CharField(max_length=254)),
                ("content", models.JSONField()),
                ("digest", models.BinaryField()),
                (
                    "closed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="billing_periodclose_month"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Revaluation",
            fields=[
                ("month", models.DateField(primary_key=True, serialize=False)),
                ("booked_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(GUARDS, REVERSE),
    ]
