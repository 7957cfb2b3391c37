"""Rollups: what was counted, by time and by model and API key; and what is not counted yet."""

from django.db import models


class Fact(models.Model):
    """Something to count that no rollup has counted yet.

    Triggers write it in the transaction in which a generation ends, a hold is captured or an
    attempt gets its cost; the sweeper adds it to the rollups and deletes it, in one transaction.
    So in every snapshot the rollups and the facts together are all there is.
    """

    organization_id = models.UUIDField(db_index=True)
    livemode = models.BooleanField()
    kind = models.CharField(max_length=16)
    at = models.DateTimeField()
    model = models.CharField(max_length=100)
    api_key_id = models.UUIDField()
    user = models.CharField(max_length=512)
    label = models.CharField(max_length=100)
    currency = models.CharField(max_length=3)
    count = models.IntegerField()
    images = models.IntegerField()
    micros = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"


class Rollup(models.Model):
    """The sum of the facts of one kind in a quarter of an hour, or in a day.

    A day is one of the time zone in `RollupZone`. The ids are values, no references: a figure
    outlives what it counts. `label` is a code where the kind is `failed`, the step of the time it
    took (`gateway_latency_step`) where it is `succeeded`, the provider where it is `cost`.
    `user` is empty but for `charged_user`. `micros` are of `currency`.
    """

    class Grain(models.TextChoices):
        QUARTER = "quarter", "Quarter of an hour"
        DAY = "day", "Day"

    class Kind(models.TextChoices):
        CHARGED = "charged", "Captured"
        CHARGED_USER = "charged_user", "Captured, by user"
        SUCCEEDED = "succeeded", "Ended with images"
        FAILED = "failed", "Ended without"
        CANCELED = "canceled", "Canceled"
        COST = "cost", "Cost of attempts"

    # The order is that of every question: whose, how fine, what, and from when on.
    pk = models.CompositePrimaryKey(
        "organization_id",
        "grain",
        "kind",
        "livemode",
        "starts_at",
        "model",
        "api_key_id",
        "currency",
        "label",
        "user",
    )
    organization_id = models.UUIDField()
    grain = models.CharField(max_length=8, choices=Grain)
    kind = models.CharField(max_length=16, choices=Kind)
    livemode = models.BooleanField()
    starts_at = models.DateTimeField()
    model = models.CharField(max_length=100)
    api_key_id = models.UUIDField()
    currency = models.CharField(max_length=3)
    label = models.CharField(max_length=100)
    user = models.CharField(max_length=512)
    count = models.BigIntegerField()
    images = models.BigIntegerField()
    micros = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.organization_id} {self.kind} {self.starts_at}: {self.count}"


class UserDay(models.Model):
    """What one user was charged in a day of the organization's zone, whatever the model and key.

    A day names so many users (`gateway.services.user_days.MOST_USERS`), each with all they were
    charged in it; the others are one row, which `is_others` and whose `user` is empty.
    """

    # Each day is a range.
    pk = models.CompositePrimaryKey("organization_id", "starts_at", "is_others", "user", "currency")
    organization_id = models.UUIDField()
    starts_at = models.DateTimeField()
    is_others = models.BooleanField()
    user = models.CharField(max_length=512)
    currency = models.CharField(max_length=3)
    count = models.BigIntegerField()
    images = models.BigIntegerField()
    micros = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.organization_id} {self.user} {self.starts_at}: {self.count}"


class RollupZone(models.Model):
    """The time zone that an organization's daily rollups and user days are in."""

    organization_id = models.UUIDField(primary_key=True)
    zone = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.organization_id} {self.zone}"


class MarginFact(models.Model):
    """Postings of one entry to an account of margins that no margin day has counted yet.

    A trigger writes it in the transaction of the postings; the sweeper adds it to `MarginDay` and
    deletes it, in one transaction. `micros` are on the side the account grows on, so that those of
    a correction are negative.
    """

    day = models.DateField(db_index=True)
    code = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    entry_reference = models.CharField(max_length=255)
    line_reference = models.CharField(max_length=255)
    micros = models.BigIntegerField()
    images = models.IntegerField()
    lines = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.code} {self.day}"


class MarginSum(models.Model):
    """Margin days of all organizations (slice `models`), or of all models and providers.

    In the slice `models`, `organization_id` is `selectors.rollups.NO_KEY`; in `organizations`,
    `model` and `provider` are empty. What is grouped by neither reads a hundredth of the rows.
    """

    pk = models.CompositePrimaryKey(
        "slice", "day", "organization_id", "model", "provider", "code", "currency"
    )
    slice = models.CharField(max_length=13)
    day = models.DateField()
    organization_id = models.UUIDField()
    model = models.CharField(max_length=100)
    provider = models.CharField(max_length=20)
    code = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    micros = models.BigIntegerField()
    images = models.BigIntegerField()
    lines = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.slice} {self.day} {self.code}: {self.micros}"


class MarginDay(models.Model):
    """What was earned or spent in a day of UTC, on images of one organization, model and provider.

    `code` is the account: `revenue`, `fx_spread` or `provider_cost`; all its postings are in one of
    its rows. `organization_id` is `selectors.rollups.NO_KEY`, and `model` and `provider` are empty,
    where nothing says whose they are. `images` are those of revenue.
    """

    pk = models.CompositePrimaryKey(
        "day", "organization_id", "model", "provider", "code", "currency"
    )
    day = models.DateField()
    organization_id = models.UUIDField()
    model = models.CharField(max_length=100)
    provider = models.CharField(max_length=20)
    code = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    micros = models.BigIntegerField()
    images = models.BigIntegerField()
    lines = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.model} {self.provider} {self.code}: {self.micros}"
