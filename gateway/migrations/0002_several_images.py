"""Several images per request: what each call was to make, and what came of it."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='attempt',
            name='result',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='attempt',
            name='indexes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), db_default=[0], default=list, size=None),
        ),
        migrations.AddField(
            model_name='attempt',
            name='moderated',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name='generation',
            name='calls',
            field=models.PositiveSmallIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name='generation',
            name='undelivered',
            field=models.JSONField(db_default=[], default=list),
        ),
    ]
