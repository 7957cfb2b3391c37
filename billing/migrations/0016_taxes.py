"""Taxes: rates of countries and profiles of organizations, which never change."""

import django.db.models.deletion
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models

GUARDS = """
CREATE TRIGGER billing_taxrate_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_taxrate
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_taxprofile_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_taxprofile
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
REVERSE = """
DROP TRIGGER billing_taxprofile_immutable ON billing_taxprofile;
DROP TRIGGER billing_taxrate_immutable ON billing_taxrate;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0015_markups_taken_away'),
        ('orgs', '0011_newest_organizations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TaxProfile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('treatment', models.CharField(choices=[('standard', 'Standard'), ('exempt', 'Exempt'), ('reverse_charge', 'Reverse Charge')], max_length=16)),
                ('reason', models.CharField(blank=True, max_length=255)),
                ('created_at', models.DateTimeField()),
                ('created_by', models.CharField(blank=True, max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name='TaxRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('country', models.CharField(max_length=2)),
                ('name', models.CharField(max_length=32)),
                ('rate', models.DecimalField(decimal_places=6, max_digits=7)),
                ('active_from', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('created_by', models.CharField(blank=True, max_length=255)),
            ],
        ),
        migrations.AddField(
            model_name='dispute',
            name='tax_micros',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='payment',
            name='tax_basis',
            field=models.CharField(choices=[('standard', 'Standard'), ('exempt', 'Exempt'), ('reverse_charge', 'Reverse Charge'), ('no_country', 'No Country'), ('no_rate', 'No Rate'), ('unknown', 'Unknown')], default='unknown', max_length=16),
        ),
        migrations.AddField(
            model_name='payment',
            name='tax_country',
            field=models.CharField(blank=True, max_length=2),
        ),
        migrations.AddField(
            model_name='payment',
            name='tax_name',
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AddField(
            model_name='payment',
            name='tax_rate',
            field=models.DecimalField(decimal_places=6, default=Decimal('0'), max_digits=7),
        ),
        migrations.AddField(
            model_name='payment',
            name='tax_reason',
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name='paymentrefund',
            name='tax_micros',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.CheckConstraint(condition=models.Q(('tax_micros__gte', 0), ('tax_micros__lte', models.F('amount_micros'))), name='billing_dispute_tax'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('tax_basis', 'standard'), ('tax_rate__gte', Decimal('0')), ('tax_rate__lt', Decimal('1'))), models.Q(('tax_basis__in', ['exempt', 'reverse_charge', 'no_country', 'no_rate', 'unknown']), ('tax_micros', 0), ('tax_rate', Decimal('0'))), _connector='OR'), name='billing_payment_tax'),
        ),
        migrations.AddConstraint(
            model_name='paymentrefund',
            constraint=models.CheckConstraint(condition=models.Q(('tax_micros__gte', 0), ('tax_micros__lte', models.F('amount_micros'))), name='billing_paymentrefund_tax'),
        ),
        migrations.AddField(
            model_name='taxprofile',
            name='organization',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orgs.organization'),
        ),
        migrations.AddIndex(
            model_name='taxrate',
            index=models.Index(fields=['country', '-active_from', '-id'], name='billing_taxrate_newest'),
        ),
        migrations.AddConstraint(
            model_name='taxrate',
            constraint=models.CheckConstraint(condition=models.Q(('country__regex', '^[A-Z]{2}$'), models.Q(('name', ''), _negated=True)), name='billing_taxrate_whole'),
        ),
        migrations.AddConstraint(
            model_name='taxrate',
            constraint=models.CheckConstraint(condition=models.Q(('rate__gte', Decimal('0')), ('rate__lt', Decimal('1'))), name='billing_taxrate_range'),
        ),
        migrations.AddIndex(
            model_name='taxprofile',
            index=models.Index(fields=['organization', '-id'], name='billing_taxprofile_newest'),
        ),
        migrations.AddConstraint(
            model_name='taxprofile',
            constraint=models.CheckConstraint(condition=models.Q(('treatment__in', ['standard', 'reverse_charge']), models.Q(('treatment', 'exempt'), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='billing_taxprofile_whole'),
        ),
        migrations.RunSQL(GUARDS, REVERSE),
    ]
