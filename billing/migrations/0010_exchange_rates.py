"""Rates with their legs and their end, spreads, and rates that are kept aside."""

import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models


GUARDS = """
CREATE TRIGGER billing_fxspread_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_fxspread
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_ratecandidate_kept
    BEFORE DELETE OR TRUNCATE ON billing_ratecandidate
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
GUARDS_REVERSE = """
DROP TRIGGER billing_ratecandidate_kept ON billing_ratecandidate;
DROP TRIGGER billing_fxspread_immutable ON billing_fxspread;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0009_payments'),
        ('orgs', '0011_newest_organizations'),
    ]

    operations = [
        migrations.CreateModel(
            name='FxSpread',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('base', models.CharField(blank=True, max_length=3)),
                ('quote', models.CharField(blank=True, max_length=3)),
                ('rate', models.DecimalField(decimal_places=6, max_digits=9)),
                ('active_from', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('created_by', models.CharField(blank=True, max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name='RateCandidate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('base', models.CharField(max_length=3)),
                ('quote', models.CharField(max_length=3)),
                ('rate', models.DecimalField(decimal_places=10, max_digits=20)),
                ('source', models.CharField(max_length=64)),
                ('as_of', models.DateTimeField()),
                ('valid_until', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('proposed', 'Proposed'), ('approved', 'Approved'), ('rejected', 'Rejected')], default='waiting', max_length=16)),
                ('reason', models.CharField(blank=True, max_length=255)),
                ('proposed_by', models.UUIDField(null=True)),
                ('proposed_by_label', models.CharField(blank=True, max_length=255)),
                ('proposed_at', models.DateTimeField(null=True)),
                ('decided_by', models.UUIDField(null=True)),
                ('decided_by_label', models.CharField(blank=True, max_length=255)),
                ('decided_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveIndex(
            model_name='fxrate',
            name='billing_fx_lookup',
        ),
        migrations.AddField(
            model_name='fxrate',
            name='base_leg',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.fxrate'),
        ),
        migrations.AddField(
            model_name='fxrate',
            name='created_by',
            field=models.CharField(blank=True, db_default='', max_length=255),
        ),
        migrations.AddField(
            model_name='fxrate',
            name='quote_leg',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.fxrate'),
        ),
        migrations.AddField(
            model_name='fxrate',
            name='reason',
            field=models.CharField(blank=True, db_default='', max_length=255),
        ),
        migrations.AddField(
            model_name='fxrate',
            name='valid_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='hold',
            name='spread',
            field=models.DecimalField(db_default=Decimal('0'), decimal_places=6, default=Decimal('0'), max_digits=9),
        ),
        migrations.AddIndex(
            model_name='fxrate',
            index=models.Index(fields=['base', 'quote', 'source', '-as_of', '-id'], name='billing_fx_newest'),
        ),
        migrations.AddConstraint(
            model_name='fxrate',
            constraint=models.UniqueConstraint(condition=models.Q(('source', 'manual'), _negated=True), fields=('source', 'base', 'quote', 'as_of'), name='billing_fx_once'),
        ),
        migrations.AddConstraint(
            model_name='fxrate',
            constraint=models.CheckConstraint(condition=models.Q(('valid_until__isnull', True), models.Q(('source', 'manual'), ('valid_until__gte', models.F('as_of'))), _connector='OR'), name='billing_fx_validity'),
        ),
        migrations.AddField(
            model_name='fxspread',
            name='organization',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orgs.organization'),
        ),
        migrations.AddField(
            model_name='hold',
            name='spread_version',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.fxspread'),
        ),
        migrations.AddField(
            model_name='ratecandidate',
            name='fx_rate',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.fxrate'),
        ),
        migrations.AddField(
            model_name='ratecandidate',
            name='previous',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.fxrate'),
        ),
        migrations.AddConstraint(
            model_name='fxspread',
            constraint=models.CheckConstraint(condition=models.Q(('rate__gte', Decimal('0')), ('rate__lt', Decimal('1'))), name='billing_spread_range'),
        ),
        migrations.AddConstraint(
            model_name='fxspread',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('base', ''), ('quote', '')), models.Q(('base', ''), ('quote', ''), _connector='OR', _negated=True), _connector='OR'), name='billing_spread_pair'),
        ),
        migrations.AddConstraint(
            model_name='ratecandidate',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ('waiting', 'rejected')), models.Q(('proposed_at__isnull', False), ('proposed_by__isnull', False)), _connector='OR'), name='billing_candidate_proposed'),
        ),
        migrations.AddConstraint(
            model_name='ratecandidate',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', False), ('fx_rate__isnull', False), ('status', 'approved')), models.Q(models.Q(('status', 'approved'), _negated=True), ('fx_rate__isnull', True)), _connector='OR'), name='billing_candidate_approved'),
        ),
        migrations.AddConstraint(
            model_name='ratecandidate',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'approved'), _negated=True), models.Q(('decided_by', models.F('proposed_by')), _negated=True), _connector='OR'), name='billing_candidate_four_eyes'),
        ),
        migrations.AddConstraint(
            model_name='ratecandidate',
            constraint=models.UniqueConstraint(condition=models.Q(('source', 'manual'), _negated=True), fields=('source', 'base', 'quote', 'as_of'), name='billing_candidate_once'),
        ),
        migrations.RunSQL(GUARDS, GUARDS_REVERSE),
    ]
