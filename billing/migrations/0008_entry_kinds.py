"""More reasons for which entries are booked."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_balance_alerts"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="journalentry",
            name="billing_entry_kind",
        ),
        migrations.AlterField(
            model_name="journalentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("top_up", "Top Up"),
                    ("capture", "Capture"),
                    ("attempt_cost", "Attempt Cost"),
                    ("adjustment", "Adjustment"),
                    ("reversal", "Reversal"),
                    ("promotion", "Promotion"),
                    ("expiry", "Expiry"),
                    ("payment_refund", "Payment Refund"),
                    ("dispute", "Dispute"),
                    ("payout", "Payout"),
                    ("provider_payment", "Provider Payment"),
                    ("true_up", "True Up"),
                    ("revaluation", "Revaluation"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddConstraint(
            model_name="journalentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "top_up",
                            "capture",
                            "attempt_cost",
                            "adjustment",
                            "reversal",
                            "promotion",
                            "expiry",
                            "payment_refund",
                            "dispute",
                            "payout",
                            "provider_payment",
                            "true_up",
                            "revaluation",
                        ],
                    )
                ),
                name="billing_entry_kind",
            ),
        ),
    ]
