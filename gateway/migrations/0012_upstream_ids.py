"""Indexes of the providers' ids, built beside running requests."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('gateway', '0011_rollups'),
    ]

    operations = [
        migrations.RunSQL('SET statement_timeout = 0', 'SET statement_timeout = 0'),
        AddIndexConcurrently(
            model_name='attempt',
            index=models.Index(condition=models.Q(('upstream_id', ''), _negated=True), fields=['upstream_id'], name='gateway_attempt_upstream_id'),
        ),
        AddIndexConcurrently(
            model_name='attempt',
            index=models.Index(condition=models.Q(('upstream_request_id', ''), _negated=True), fields=['upstream_request_id'], name='gateway_attempt_upstream_req'),
        ),
        migrations.RunSQL('RESET statement_timeout', 'RESET statement_timeout'),
    ]
