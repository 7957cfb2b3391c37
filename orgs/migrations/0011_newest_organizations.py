"""The order in which operators list organizations, built beside running requests."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orgs", "0010_user_language")]

    operations = [
        AddIndexConcurrently(
            model_name="organization",
            index=models.Index(fields=["-created_at", "-id"], name="orgs_organization_newest"),
        ),
    ]
