"""Invoices, which never change, and the series that number them."""

import core.ids
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

GUARDS = """
CREATE TRIGGER billing_invoice_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_invoice
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_invoiceseries_kept
    BEFORE DELETE OR TRUNCATE ON billing_invoiceseries
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
REVERSE = """
DROP TRIGGER billing_invoiceseries_kept ON billing_invoiceseries;
DROP TRIGGER billing_invoice_immutable ON billing_invoice;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0019_refunds'),
        ('orgs', '0011_newest_organizations'),
    ]

    operations = [
        migrations.CreateModel(
            name='InvoiceSeries',
            fields=[
                ('name', models.CharField(max_length=16, primary_key=True, serialize=False)),
                ('last', models.PositiveIntegerField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('last__gte', 1)), name='billing_invoiceseries_last')],
            },
        ),
        migrations.CreateModel(
            name='Invoice',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_uuid, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('invoice', 'Invoice'), ('correction', 'Correction')], max_length=16)),
                ('entry_key', models.CharField(max_length=255, unique=True)),
                ('currency', models.CharField(max_length=3)),
                ('net_micros', models.BigIntegerField()),
                ('tax_micros', models.BigIntegerField()),
                ('tax_basis', models.CharField(choices=[('standard', 'Standard'), ('exempt', 'Exempt'), ('reverse_charge', 'Reverse Charge'), ('no_country', 'No Country'), ('no_rate', 'No Rate'), ('unknown', 'Unknown')], max_length=16)),
                ('tax_country', models.CharField(blank=True, max_length=2)),
                ('tax_name', models.CharField(blank=True, max_length=32)),
                ('tax_rate', models.DecimalField(decimal_places=6, default=Decimal('0'), max_digits=7)),
                ('content', models.JSONField()),
                ('digest', models.BinaryField()),
                ('effective_at', models.DateTimeField()),
                ('issued_at', models.DateTimeField()),
                ('corrects', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.invoice')),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orgs.organization')),
                ('payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='billing.payment')),
                ('series', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.invoiceseries')),
            ],
            options={
                'indexes': [models.Index(fields=['organization', '-issued_at', '-number'], name='billing_invoice_own'), models.Index(fields=['effective_at', 'id'], name='billing_invoice_effective')],
                'constraints': [models.UniqueConstraint(fields=('series', 'number'), name='billing_invoice_number'), models.CheckConstraint(condition=models.Q(('net_micros__gte', 0), ('number__gte', 1), ('tax_micros__gte', 0), models.Q(('net_micros__gt', 0), ('tax_micros__gt', 0), _connector='OR')), name='billing_invoice_amounts'), models.CheckConstraint(condition=models.Q(('kind', 'invoice'), models.Q(('corrects__isnull', False), ('kind', 'correction')), _connector='OR'), name='billing_invoice_corrects'), models.CheckConstraint(condition=models.Q(('corrects', models.F('id')), _negated=True), name='billing_invoice_of_other')],
            },
        ),
        migrations.RunSQL(GUARDS, REVERSE),
    ]
