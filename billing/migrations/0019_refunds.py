"""Refunds of images, their credit notes, and adjustments, which change by their decision alone."""

import core.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


# The decision is taken once, and nothing else ever changes.
GUARD = """
CREATE FUNCTION billing_check_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'pending'
        OR to_jsonb(NEW) - ARRAY['status', 'note', 'decided_by_id', 'decided_at']
            <> to_jsonb(OLD) - ARRAY['status', 'note', 'decided_by_id', 'decided_at']
    THEN
        RAISE EXCEPTION '% % cannot change: it is %, and what was asked for is fixed',
            TG_TABLE_NAME, OLD.id, OLD.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_decision_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_refund_final
    BEFORE UPDATE ON billing_refund FOR EACH ROW EXECUTE FUNCTION billing_check_decision();
CREATE TRIGGER billing_adjustment_final
    BEFORE UPDATE ON billing_adjustment FOR EACH ROW EXECUTE FUNCTION billing_check_decision();
CREATE TRIGGER billing_refund_kept
    BEFORE DELETE OR TRUNCATE ON billing_refund
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_adjustment_kept
    BEFORE DELETE OR TRUNCATE ON billing_adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();

CREATE FUNCTION billing_check_dropped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.is_dropped OR to_jsonb(NEW) - 'is_dropped' <> to_jsonb(OLD) - 'is_dropped'
        OR EXISTS (
            SELECT FROM billing_refund
            WHERE id = OLD.refund_id AND status NOT IN ('declined', 'withdrawn')
        )
    THEN
        RAISE EXCEPTION 'refunded image % cannot change', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_refundedimage_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_refundedimage_final
    BEFORE UPDATE ON billing_refundedimage FOR EACH ROW EXECUTE FUNCTION billing_check_dropped();
CREATE TRIGGER billing_refundedimage_kept
    BEFORE DELETE OR TRUNCATE ON billing_refundedimage
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_creditnote_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_creditnote
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
REVERSE = """
DROP TRIGGER billing_creditnote_immutable ON billing_creditnote;
DROP TRIGGER billing_refundedimage_kept ON billing_refundedimage;
DROP TRIGGER billing_refundedimage_final ON billing_refundedimage;
DROP TRIGGER billing_adjustment_kept ON billing_adjustment;
DROP TRIGGER billing_refund_kept ON billing_refund;
DROP TRIGGER billing_adjustment_final ON billing_adjustment;
DROP TRIGGER billing_refund_final ON billing_refund;
DROP FUNCTION billing_check_dropped();
DROP FUNCTION billing_check_decision();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0018_cost_prices'),
        ('orgs', '0011_newest_organizations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_uuid, editable=False, primary_key=True, serialize=False)),
                ('reference', models.CharField(db_index=True, max_length=255)),
                ('amount_micros', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('reason', models.CharField(max_length=500)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('approved', 'Approved'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn')], default='pending', max_length=16)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orgs.organization')),
                ('requested_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='CreditNote',
            fields=[
                ('number', models.PositiveIntegerField(primary_key=True, serialize=False)),
                ('amount_micros', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('content', models.JSONField()),
                ('digest', models.BinaryField()),
                ('issued_at', models.DateTimeField()),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orgs.organization')),
                ('refund', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='credit_note', to='billing.refund')),
            ],
        ),
        migrations.CreateModel(
            name='RefundedImage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('artifact', models.CharField(max_length=255)),
                ('position', models.PositiveSmallIntegerField()),
                ('amount_micros', models.BigIntegerField()),
                ('is_dropped', models.BooleanField(default=False)),
                ('refund', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='images', to='billing.refund')),
            ],
        ),
        migrations.CreateModel(
            name='Adjustment',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_uuid, editable=False, primary_key=True, serialize=False)),
                ('direction', models.CharField(choices=[('debit', 'Debit'), ('credit', 'Credit')], max_length=6)),
                ('amount_micros', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('reason', models.CharField(max_length=500)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('approved', 'Approved'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn')], default='pending', max_length=16)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orgs.organization')),
                ('requested_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('decided_by__isnull', True), ('status', 'pending')), models.Q(('decided_at__isnull', False), ('decided_by__isnull', True), ('status', 'withdrawn')), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False), ('status__in', ['approved', 'declined']), models.Q(('decided_by', models.F('requested_by')), _negated=True)), _connector='OR'), name='billing_adjustment_four_eyes'), models.CheckConstraint(condition=models.Q(('amount_micros__gt', 0), ('direction__in', ['debit', 'credit']), models.Q(('reason', ''), _negated=True)), name='billing_adjustment_whole')],
            },
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('decided_by__isnull', True), ('status', 'pending')), models.Q(('decided_at__isnull', False), ('decided_by__isnull', True), ('status', 'withdrawn')), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False), ('status__in', ['approved', 'declined']), models.Q(('decided_by', models.F('requested_by')), _negated=True)), _connector='OR'), name='billing_refund_four_eyes'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount_micros__gt', 0), models.Q(('reason', ''), _negated=True)), name='billing_refund_whole'),
        ),
        migrations.AddConstraint(
            model_name='creditnote',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='billing_creditnote_number'),
        ),
        migrations.AddConstraint(
            model_name='refundedimage',
            constraint=models.UniqueConstraint(condition=models.Q(('is_dropped', False)), fields=('artifact',), name='billing_refundedimage_once'),
        ),
        migrations.AddConstraint(
            model_name='refundedimage',
            constraint=models.CheckConstraint(condition=models.Q(('amount_micros__gt', 0)), name='billing_refundedimage_amount'),
        ),
        migrations.RunSQL(GUARD, REVERSE),
    ]
