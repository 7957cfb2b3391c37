"""What the request log is sorted by, in the index of its pages, built beside running requests."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('gateway', '0017_retention_and_stages'),
    ]

    operations = [
        # A large table takes longer than a request may.
        migrations.RunSQL('SET statement_timeout = 0', 'SET statement_timeout = 0'),
        migrations.RenameIndex(
            model_name='generation',
            old_name='gateway_generation_pages',
            new_name='gateway_generation_unsorted',
        ),
        AddIndexConcurrently(
            model_name='generation',
            index=models.Index(fields=['organization', '-created_at', '-id'], include=('status', 'model', 'api_key', 'created_by', 'livemode', 'unit_micros', 'deleted_at', 'finished_at', 'charged_micros'), name='gateway_generation_pages'),
        ),
        RemoveIndexConcurrently(
            model_name='generation',
            name='gateway_generation_unsorted',
        ),
        migrations.RunSQL('RESET statement_timeout', 'RESET statement_timeout'),
    ]
