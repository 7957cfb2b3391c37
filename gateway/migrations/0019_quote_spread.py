"""The spread of a quote, which the hold takes over."""

import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0010_exchange_rates'),
        ('gateway', '0018_sorted_pages'),
    ]

    operations = [
        migrations.AddField(
            model_name='quote',
            name='spread',
            field=models.DecimalField(db_default=Decimal('0'), decimal_places=6, default=Decimal('0'), max_digits=9),
        ),
        migrations.AddField(
            model_name='quote',
            name='spread_version',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.fxspread'),
        ),
    ]
