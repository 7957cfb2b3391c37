"""How many partial images of a generation are stored."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0003_breakers'),
    ]

    operations = [
        migrations.AddField(
            model_name='generation',
            name='partials',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddIndex(
            model_name='generation',
            index=models.Index(condition=models.Q(('partials__gt', 0), ('finished_at__isnull', False)), fields=['finished_at'], name='gateway_generation_partials'),
        ),
    ]
