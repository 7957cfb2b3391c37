"""Indexes of what a person asked for, and of what came of which image, built beside requests."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.expressions import RawSQL


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('gateway', '0014_user_days'),
    ]

    operations = [
        # A large table takes longer than a request may.
        migrations.RunSQL('SET statement_timeout = 0', 'SET statement_timeout = 0'),
        AddIndexConcurrently(
            model_name='artifact',
            index=models.Index(fields=['sha256'], name='gateway_artifact_sha256'),
        ),
        AddIndexConcurrently(
            model_name='generation',
            index=models.Index(condition=models.Q(('created_by__isnull', False)), fields=['organization', 'created_by', '-created_at', '-id'], name='gateway_generation_by_person'),
        ),
        AddIndexConcurrently(
            model_name='generation',
            index=GinIndex(OpClass(RawSQL("(parameters -> 'inputs')", []), name='jsonb_path_ops'), condition=models.Q(('parameters__has_key', 'inputs')), fastupdate=False, name='gateway_generation_inputs'),
        ),
        migrations.RunSQL('RESET statement_timeout', 'RESET statement_timeout'),
    ]
