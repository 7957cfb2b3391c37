"""Statements, which never change."""

import core.ids
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


GUARD = """
CREATE TRIGGER billing_statement_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_statement
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
REVERSE = "DROP TRIGGER billing_statement_immutable ON billing_statement;"


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0011_account_days"),
        ("orgs", "0011_newest_organizations"),
    ]

    operations = [
        migrations.CreateModel(
            name="Statement",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=core.ids.new_uuid, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("month", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("from_seq", models.BigIntegerField()),
                ("to_seq", models.BigIntegerField()),
                ("head", models.BinaryField()),
                ("opening_micros", models.BigIntegerField()),
                ("closing_micros", models.BigIntegerField()),
                ("content", models.JSONField()),
                ("digest", models.BinaryField()),
                ("issued_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orgs.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "number"), name="billing_statement_number"
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "month"), name="billing_statement_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("number__gte", 1),
                            ("from_seq__gte", 1),
                            (
                                "to_seq__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("from_seq"), "-", models.Value(1)
                                ),
                            ),
                        ),
                        name="billing_statement_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="billing_statement_period",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARD, REVERSE),
    ]
