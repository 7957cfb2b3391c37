"""Quotes of edits, whose price depends on the images sent along."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0006_list_filters'),
    ]

    operations = [
        migrations.AddField(
            model_name='quote',
            name='inputs',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
    ]
