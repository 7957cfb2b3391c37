"""Quotes, and images that their owner had deleted."""

import core.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_defaults'),
        ('gateway', '0004_partials'),
        ('orgs', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='generation',
            name='deleted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='Quote',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_uuid, editable=False, primary_key=True, serialize=False)),
                ('livemode', models.BooleanField()),
                ('model_key', models.CharField(max_length=128)),
                ('size', models.CharField(max_length=32)),
                ('quality', models.CharField(blank=True, max_length=32)),
                ('count', models.PositiveSmallIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('unit_micros', models.BigIntegerField()),
                ('list_unit_micros', models.BigIntegerField()),
                ('pixels', models.BigIntegerField()),
                ('list_amount', models.DecimalField(decimal_places=16, max_digits=36)),
                ('list_currency', models.CharField(max_length=3)),
                ('markup', models.DecimalField(decimal_places=6, max_digits=9)),
                ('rate', models.DecimalField(decimal_places=10, max_digits=20)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('used_at', models.DateTimeField(null=True)),
                ('fx_rate', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.fxrate')),
                ('generation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='quotes', to='gateway.generation')),
                ('markup_version', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.markup')),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to='orgs.organization')),
                ('price_version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.priceversion')),
            ],
        ),
        migrations.AddConstraint(
            model_name='quote',
            constraint=models.CheckConstraint(condition=models.Q(('count__gt', 0), ('list_unit_micros__gt', 0), ('unit_micros__gt', 0)), name='gateway_quote_positive'),
        ),
        migrations.AddConstraint(
            model_name='quote',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='gateway_quote_expires_later'),
        ),
        migrations.AddConstraint(
            model_name='quote',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('generation__isnull', True), ('used_at__isnull', True)), models.Q(('generation__isnull', False), ('used_at__isnull', False)), _connector='OR'), name='gateway_quote_used_by_a_generation'),
        ),
    ]
