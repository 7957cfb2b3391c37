from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0023_backups")]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="traceparent",
            field=models.CharField(blank=True, db_default="", default="", max_length=55),
        ),
    ]
