"""The table of Django's cache: what limits tries to sign in. As `createcachetable` makes it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orgs", "0003_webhooks")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TABLE orgs_cache (
                cache_key varchar(255) NOT NULL PRIMARY KEY,
                value text NOT NULL,
                expires timestamptz NOT NULL
            );
            CREATE INDEX orgs_cache_expires ON orgs_cache (expires);
            """,
            "DROP TABLE orgs_cache",
        )
    ]
