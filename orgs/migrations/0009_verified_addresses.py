"""People made by commands before there were accounts: their addresses count as verified."""

from django.db import migrations


def verify_addresses(apps, schema_editor):
    addresses = apps.get_model("account", "EmailAddress")
    known = set(addresses.objects.values_list("user_id", flat=True))
    addresses.objects.bulk_create(
        addresses(user_id=user.pk, email=user.email.lower(), verified=True, primary=True)
        for user in apps.get_model("orgs", "User").objects.all()
        if user.pk not in known
    )


class Migration(migrations.Migration):
    dependencies = [
        ("orgs", "0008_last_owner"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [migrations.RunPython(verify_addresses, migrations.RunPython.noop)]
