"""Lines below which a balance is low."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_wallet_credits'),
        ('orgs', '0003_webhooks'),
    ]

    operations = [
        migrations.CreateModel(
            name='BalanceAlert',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='orgs.organization')),
                ('below_micros', models.BigIntegerField()),
                ('fired_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('below_micros__gt', 0)), name='billing_balancealert_positive')],
            },
        ),
    ]
