"""Promotional credit."""

import core.ids
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

GUARD = """
-- The terms of a grant never change, and a decision about it is made once.
CREATE FUNCTION billing_check_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    terms billing_grant := NEW;
BEGIN
    terms.held_micros := OLD.held_micros;
    terms.captured_micros := OLD.captured_micros;
    terms.expired_micros := OLD.expired_micros;
    IF OLD.status = 'pending' THEN
        terms.status := OLD.status;
        terms.decided_by_id := OLD.decided_by_id;
        terms.decided_at := OLD.decided_at;
        terms.digest := OLD.digest;
    END IF;
    IF terms IS DISTINCT FROM OLD OR NEW.expired_micros < OLD.expired_micros THEN
        RAISE EXCEPTION 'grant % cannot change: it is %, and its terms are fixed',
            OLD.id, OLD.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_grant_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_grant_final
    BEFORE UPDATE ON billing_grant FOR EACH ROW EXECUTE FUNCTION billing_check_grant();
CREATE TRIGGER billing_grant_kept
    BEFORE DELETE OR TRUNCATE ON billing_grant
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();

CREATE FUNCTION billing_check_grant_part() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    terms billing_grantpart := NEW;
BEGIN
    terms.captured_micros := OLD.captured_micros;
    terms.refunded_micros := OLD.refunded_micros;
    IF terms IS DISTINCT FROM OLD OR NEW.refunded_micros < OLD.refunded_micros THEN
        RAISE EXCEPTION 'part % of grant % cannot change', OLD.id, OLD.grant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_grantpart_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_grantpart_final
    BEFORE UPDATE ON billing_grantpart FOR EACH ROW EXECUTE FUNCTION billing_check_grant_part();
CREATE TRIGGER billing_grantpart_kept
    BEFORE DELETE OR TRUNCATE ON billing_grantpart
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
REVERSE = """
DROP TRIGGER billing_grantpart_kept ON billing_grantpart;
DROP TRIGGER billing_grantpart_final ON billing_grantpart;
DROP FUNCTION billing_check_grant_part();
DROP TRIGGER billing_grant_kept ON billing_grant;
DROP TRIGGER billing_grant_final ON billing_grant;
DROP FUNCTION billing_check_grant();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0020_invoices'),
        ('orgs', '0011_newest_organizations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Grant',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_uuid, editable=False, primary_key=True, serialize=False)),
                ('amount_micros', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('expires_at', models.DateTimeField()),
                ('reason', models.CharField(max_length=500)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('granted', 'Granted'), ('rejected', 'Rejected')], default='pending', max_length=16)),
                ('created_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('held_micros', models.BigIntegerField(default=0)),
                ('captured_micros', models.BigIntegerField(default=0)),
                ('expired_micros', models.BigIntegerField(default=0)),
                ('digest', models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name='GrantPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount_micros', models.BigIntegerField()),
                ('captured_micros', models.BigIntegerField(default=0)),
                ('refunded_micros', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name='hold',
            name='promo_micros',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('promo_micros__gte', 0), ('promo_micros__lte', models.F('amount_micros'))), name='billing_hold_promo'),
        ),
        migrations.AddField(
            model_name='grant',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.account'),
        ),
        migrations.AddField(
            model_name='grant',
            name='decided_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='grant',
            name='organization',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orgs.organization'),
        ),
        migrations.AddField(
            model_name='grant',
            name='requested_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='grantpart',
            name='grant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='billing.grant'),
        ),
        migrations.AddField(
            model_name='grantpart',
            name='hold',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='billing.hold'),
        ),
        migrations.AddIndex(
            model_name='grant',
            index=models.Index(fields=['account', 'expires_at'], name='billing_grant_own'),
        ),
        migrations.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('amount_micros__gt', django.db.models.expressions.CombinedExpression(models.F('captured_micros'), '+', models.F('expired_micros'))), ('status', 'granted')), fields=['expires_at'], name='billing_grant_open'),
        ),
        migrations.AddIndex(
            model_name='grant',
            index=models.Index(fields=['-created_at', 'id'], name='billing_grant_newest'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(('amount_micros__gt', 0), ('amount_micros__gte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('held_micros'), '+', models.F('captured_micros')), '+', models.F('expired_micros'))), ('captured_micros__gte', 0), ('expired_micros__gte', 0), ('held_micros__gte', 0)), name='billing_grant_unspent'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', False), ('status', 'granted')), models.Q(('captured_micros', 0), ('decided_at__isnull', True), ('held_micros', 0), ('status', 'pending'), ('expired_micros', 0)), models.Q(('captured_micros', 0), ('decided_at__isnull', False), ('held_micros', 0), ('status', 'rejected'), ('expired_micros', 0)), _connector='OR'), name='billing_grant_status'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', True), ('requested_by__isnull', True), ('status', 'granted')), models.Q(('decided_by__isnull', True), ('requested_by__isnull', False), models.Q(('status', 'granted'), _negated=True)), models.Q(('decided_by__isnull', False), ('requested_by__isnull', False), models.Q(('requested_by', models.F('decided_by')), _negated=True)), _connector='OR'), name='billing_grant_four_eyes'),
        ),
        migrations.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at')), models.Q(('reason', ''), _negated=True)), name='billing_grant_terms'),
        ),
        migrations.AddConstraint(
            model_name='grantpart',
            constraint=models.UniqueConstraint(fields=('hold', 'grant'), name='billing_grantpart_unique'),
        ),
        migrations.AddConstraint(
            model_name='grantpart',
            constraint=models.CheckConstraint(condition=models.Q(('amount_micros__gt', 0), ('captured_micros__gte', models.F('refunded_micros')), ('captured_micros__lte', models.F('amount_micros')), ('refunded_micros__gte', 0)), name='billing_grantpart_amounts'),
        ),
        migrations.RunSQL(GUARD, REVERSE),
    ]
