"""Rollups of postings: what each account moved in a day, and what is not counted yet."""

from django.db import models


class PostingFact(models.Model):
    """Postings of one statement to one account and day that no rollup has counted yet.

    A trigger writes it in the transaction of the postings; the sweeper adds it to `AccountDay` and
    deletes it, in one transaction. So in every snapshot account days and facts together are all
    postings.
    """

    account_id = models.UUIDField(db_index=True)
    day = models.DateField()
    debit_micros = models.BigIntegerField()
    credit_micros = models.BigIntegerField()
    lines = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}"


class AccountDay(models.Model):
    """What was posted to an account with effect on a day, in UTC, in micros of its currency."""

    pk = models.CompositePrimaryKey("account_id", "day")
    account_id = models.UUIDField()
    day = models.DateField()
    debit_micros = models.BigIntegerField()
    credit_micros = models.BigIntegerField()
    lines = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}"
