"""The price of images that are sent along to be edited."""

from decimal import Decimal

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_defaults'),
    ]

    operations = [
        migrations.AddField(
            model_name='priceversion',
            name='input_amount',
            field=models.DecimalField(db_default=Decimal('0'), decimal_places=10, default=Decimal('0'), max_digits=20),
        ),
        migrations.AddField(
            model_name='hold',
            name='inputs',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name='priceversion',
            constraint=models.CheckConstraint(condition=models.Q(('input_amount__gte', Decimal('0'))), name='billing_price_input_amount'),
        ),
    ]
