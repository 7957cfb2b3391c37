"""The platform's accounts in its own currency, and its default markup of five percent."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid5

from django.db import migrations

NAMESPACE = UUID("6d1f6f0e-8a3c-4f5c-9a53-0d7a5e2b9c41")
KINDS = {
    "cash": "asset",
    "payment_clearing": "asset",
    "payment_fees": "expense",
    "revenue": "income",
    "provider_cost": "expense",
    "provider_payable": "liability",
    "fx_clearing": "asset",
    "fx_spread": "income",
    "fx_gain_loss": "income",
    "promotions": "expense",
    "breakage": "income",
    "refunds": "expense",
    "disputes": "expense",
    "tax_payable": "liability",
    "rounding": "expense",
    "suspense": "liability",
}
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


def add_defaults(apps, schema_editor):
    Account = apps.get_model("billing", "Account")
    Markup = apps.get_model("billing", "Markup")
    Account.objects.bulk_create(
        Account(id=uuid5(NAMESPACE, f"platform:{code}:USD"), code=code, kind=kind, currency="USD")
        for code, kind in KINDS.items()
    )
    Markup.objects.create(
        scope="platform",
        rate=Decimal("0.05"),
        active_from=BEGINNING,
        created_at=BEGINNING,
        created_by="default",
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_guards")]

    # Rows of these tables cannot be deleted; going back to zero drops the tables.
    operations = [migrations.RunPython(add_defaults, migrations.RunPython.noop)]
