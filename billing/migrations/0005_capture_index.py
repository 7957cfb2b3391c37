"""Find an organization's captures by when they were made."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_input_images'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='hold',
            name='billing_hold_organization',
        ),
        migrations.AddIndex(
            model_name='hold',
            index=models.Index(condition=models.Q(('status', 'captured')), fields=['organization', 'closed_at'], name='billing_hold_captures'),
        ),
    ]
