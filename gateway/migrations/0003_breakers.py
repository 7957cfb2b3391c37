"""Breakers, and how each call to a provider failed."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0002_several_images'),
    ]

    operations = [
        migrations.CreateModel(
            name='Breaker',
            fields=[
                ('provider', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('is_open', models.BooleanField()),
                ('reason', models.CharField(max_length=30)),
                ('failures', models.PositiveIntegerField()),
                ('calls', models.PositiveIntegerField()),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('retry_at', models.DateTimeField()),
                ('cooldown_s', models.PositiveSmallIntegerField()),
                ('probes', models.PositiveIntegerField(default=0)),
                ('alert_claimed_at', models.DateTimeField(null=True)),
                ('alerted_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='attempt',
            name='error_kind',
            field=models.CharField(blank=True, db_default='', max_length=30),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(condition=models.Q(('finished_at__isnull', False), ('is_sandboxed', False)), fields=['provider', 'finished_at'], name='gateway_attempt_real'),
        ),
        migrations.AddConstraint(
            model_name='breaker',
            constraint=models.CheckConstraint(condition=models.Q(('is_open', True), ('closed_at__isnull', False), _connector='OR'), name='gateway_breaker_closed_has_instant'),
        ),
    ]
