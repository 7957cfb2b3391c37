"""When an export's end was looked at."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0015_edits_and_history'),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='seen_at',
            field=models.DateTimeField(null=True),
        ),
    ]
