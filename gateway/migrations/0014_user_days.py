"""What each user was charged in a day, and those of the days that are counted already."""

from django.db import migrations, models

# Keeps the sweeper from counting until this is done: the lock of `gateway.services.rollups`.
ALONE = "SELECT pg_advisory_xact_lock(7811886553825768047)"
# So many users of a day are named, in the order of their names; the others are one row.
EXISTING = """
INSERT INTO gateway_userday (
    organization_id, starts_at, is_others, "user", currency, count, images, micros
)
SELECT organization_id, starts_at, place > 5000, CASE WHEN place > 5000 THEN '' ELSE "user" END,
    currency, sum(count), sum(images), sum(micros)
FROM (
    SELECT organization_id, starts_at, "user", currency, sum(count) AS count,
        sum(images) AS images, sum(micros) AS micros,
        row_number() OVER (
            PARTITION BY organization_id, starts_at ORDER BY "user", currency
        ) AS place
    FROM gateway_rollup WHERE grain = 'day' AND kind = 'charged_user'
    GROUP BY 1, 2, 3, 4
) AS ranked
GROUP BY 1, 2, 3, 4, 5
"""


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0013_operations'),
    ]

    operations = [
        migrations.CreateModel(
            name='UserDay',
            fields=[
                ('pk', models.CompositePrimaryKey('organization_id', 'starts_at', 'is_others', 'user', 'currency', blank=True, editable=False, primary_key=True, serialize=False)),
                ('organization_id', models.UUIDField()),
                ('starts_at', models.DateTimeField()),
                ('is_others', models.BooleanField()),
                ('user', models.CharField(max_length=512)),
                ('currency', models.CharField(max_length=3)),
                ('count', models.BigIntegerField()),
                ('images', models.BigIntegerField()),
                ('micros', models.BigIntegerField()),
            ],
        ),
        migrations.RunSQL([ALONE, EXISTING], migrations.RunSQL.noop),
    ]
