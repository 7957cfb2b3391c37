"""Indexes for the filters of the list of generations."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0005_quotes'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='generation',
            index=models.Index(fields=['organization', 'model', '-created_at', '-id'], name='gateway_generation_by_model'),
        ),
        migrations.AddIndex(
            model_name='generation',
            index=models.Index(condition=models.Q(('status__in', ['failed', 'canceled'])), fields=['organization', 'status', '-created_at', '-id'], name='gateway_generation_by_status'),
        ),
        migrations.AddIndex(
            model_name='generation',
            index=models.Index(condition=models.Q(('user', ''), _negated=True), fields=['organization', 'user', '-created_at', '-id'], name='gateway_generation_by_user'),
        ),
        migrations.AddIndex(
            model_name='generation',
            index=models.Index(condition=models.Q(('client_request_id', ''), _negated=True), fields=['organization', 'client_request_id', '-created_at', '-id'], name='gateway_generation_by_client'),
        ),
    ]
