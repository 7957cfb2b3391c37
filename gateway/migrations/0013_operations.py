"""What operators look after: findings, checks, pauses, and what workers say of themselves."""

import core.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0012_upstream_ids'),
        ('orgs', '0009_verified_addresses'),
    ]

    operations = [
        migrations.CreateModel(
            name='Check',
            fields=[
                ('name', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('requested_at', models.DateTimeField(null=True)),
                ('requested_by', models.CharField(blank=True, max_length=254)),
                ('started_at', models.DateTimeField(null=True)),
                ('beat_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('done', models.PositiveIntegerField(default=0)),
                ('total', models.PositiveIntegerField(default=0)),
                ('found', models.PositiveIntegerField(default=0)),
                ('error', models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name='Pause',
            fields=[
                ('provider', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('reason', models.CharField(max_length=200)),
                ('paused_by', models.CharField(max_length=254)),
                ('paused_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='process',
            name='draining_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='process',
            name='slots',
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_uuid, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('severity', models.CharField(choices=[('critical', 'Critical'), ('warning', 'Warning')], max_length=10)),
                ('object_type', models.CharField(max_length=40)),
                ('object_id', models.CharField(max_length=120)),
                ('words', models.CharField(max_length=1000)),
                ('count', models.PositiveIntegerField(default=1)),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('resolved_at', models.DateTimeField(null=True)),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('acknowledged_by', models.CharField(blank=True, max_length=254)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('organization', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orgs.organization')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('resolved_at__isnull', True)), fields=['kind'], name='gateway_finding_open'), models.Index(fields=['-last_seen_at', '-id'], name='gateway_finding_listing')],
                'constraints': [models.UniqueConstraint(fields=('kind', 'object_type', 'object_id'), name='gateway_finding_once_per_object'), models.CheckConstraint(condition=models.Q(('severity__in', ['critical', 'warning'])), name='gateway_finding_severity_valid'), models.CheckConstraint(condition=models.Q(models.Q(('acknowledged_at__isnull', True), ('acknowledged_by', '')), models.Q(('acknowledged_at__isnull', False), models.Q(('acknowledged_by', ''), _negated=True)), _connector='OR'), name='gateway_finding_acknowledged_by_somebody')],
            },
        ),
    ]
