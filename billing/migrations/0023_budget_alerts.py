"""What was told of budgets."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0022_reconciliation'),
        ('orgs', '0011_newest_organizations'),
    ]

    operations = [
        migrations.CreateModel(
            name='BudgetAlert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('period', models.DateField()),
                ('percent', models.PositiveSmallIntegerField()),
                ('limit_micros', models.BigIntegerField()),
                ('captured_micros', models.BigIntegerField()),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.AddIndex(
            model_name='budget',
            index=models.Index(condition=models.Q(('limit_micros__gt', 0)), fields=['organization'], name='billing_budget_limited'),
        ),
        migrations.AddField(
            model_name='budgetalert',
            name='budget',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='billing.budget'),
        ),
        migrations.AddConstraint(
            model_name='budgetalert',
            constraint=models.UniqueConstraint(fields=('budget', 'period', 'percent'), name='billing_budgetalert_once'),
        ),
        migrations.AddConstraint(
            model_name='budgetalert',
            constraint=models.CheckConstraint(condition=models.Q(('percent__in', [50, 80, 100])), name='billing_budgetalert_percent'),
        ),
    ]
