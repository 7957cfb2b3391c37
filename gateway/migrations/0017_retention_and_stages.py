"""How far retention has come, what it deleted, and when a provider had sent everything."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0016_export_seen'),
        ('orgs', '0009_verified_addresses'),
    ]

    operations = [
        migrations.CreateModel(
            name='Retention',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='orgs.organization')),
                ('images_until', models.DateTimeField(null=True)),
                ('prompts_until', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='attempt',
            name='received_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='generation',
            name='is_expired',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
