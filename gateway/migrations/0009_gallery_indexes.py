"""Indexes of the gallery and the request log, built beside running requests."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.expressions import RawSQL


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('gateway', '0008_console_callers'),
    ]

    operations = [
        # A large table takes longer than a request may.
        migrations.RunSQL('SET statement_timeout = 0', 'SET statement_timeout = 0'),
        AddIndexConcurrently(
            model_name='generation',
            index=models.Index(fields=['organization', '-created_at', '-id'], include=('status', 'model', 'api_key', 'created_by', 'livemode', 'unit_micros', 'deleted_at'), name='gateway_generation_pages'),
        ),
        AddIndexConcurrently(
            model_name='generation',
            index=GinIndex(RawSQL("to_tsvector('simple', parameters ->> 'prompt') || array_to_tsvector(ARRAY[organization_id::text])", []), condition=models.Q(('deleted_at__isnull', True), ('status', 'succeeded')), fastupdate=False, name='gateway_generation_prompt'),
        ),
        AddIndexConcurrently(
            model_name='generation',
            index=models.Index(condition=models.Q(('batch_id__isnull', False)), fields=['batch_id'], name='gateway_generation_batch'),
        ),
        RemoveIndexConcurrently(
            model_name='generation',
            name='gateway_generation_listing',
        ),
        migrations.RunSQL('RESET statement_timeout', 'RESET statement_timeout'),
    ]
