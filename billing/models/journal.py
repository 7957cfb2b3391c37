"""The journal: entries and postings, which triggers keep immutable and balanced."""

from django.db import models
from django.db.models import Q

from billing.models.accounts import Account


class EntryKind(models.TextChoices):
    """Why an entry was booked.

    `promotion` and `expiry` are promotional credit given and lapsed; `payment_refund` is a top-up
    paid back; `payout` is a payment provider's transfer to the bank; `provider_payment` and
    `true_up` settle and correct what image providers are owed.
    """

    TOP_UP = "top_up"
    CAPTURE = "capture"
    ATTEMPT_COST = "attempt_cost"
    ADJUSTMENT = "adjustment"
    REVERSAL = "reversal"
    PROMOTION = "promotion"
    EXPIRY = "expiry"
    PAYMENT_REFUND = "payment_refund"
    DISPUTE = "dispute"
    PAYOUT = "payout"
    PROVIDER_PAYMENT = "provider_payment"
    TRUE_UP = "true_up"
    REVALUATION = "revaluation"


class Direction(models.TextChoices):
    """The side of a posting."""

    DEBIT = "debit"
    CREDIT = "credit"


class JournalEntry(models.Model):
    """One fact about money, whole and immutable.

    `lines` says how many postings belong to it: with the numbering of postings it makes adding
    one later impossible. `digest` covers the entry and all its postings (`billing.digests`).
    """

    id = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(max_length=32, choices=EntryKind)
    idempotency_key = models.CharField(max_length=255, unique=True)
    reference = models.CharField(max_length=255, blank=True, db_index=True)
    description = models.CharField(max_length=255, blank=True)
    effective_at = models.DateTimeField()
    booked_at = models.DateTimeField(db_index=True)
    lines = models.PositiveSmallIntegerField()
    digest = models.BinaryField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(lines__gte=2), name="billing_entry_two_lines"),
            models.CheckConstraint(
                condition=Q(kind__in=EntryKind.values), name="billing_entry_kind"
            ),
        )
        indexes = (
            # The journal of a period.
            models.Index(fields=("effective_at", "id"), name="billing_entry_effective"),
            # What is not about images is few.
            models.Index(
                fields=("effective_at",),
                condition=~Q(kind__in=(EntryKind.CAPTURE, EntryKind.ATTEMPT_COST)),
                name="billing_entry_not_images",
            ),
        )

    def __str__(self) -> str:
        return self.idempotency_key


class Posting(models.Model):
    """One line of an entry.

    `chain_seq` and `chain_hash` are the account's balance after the entry (`seq`, `head`); they
    are null on the platform's accounts, which have no balance row. `digest` covers the line, so
    that a changed one can be named; the entry's digest covers it.
    """

    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings")
    line = models.PositiveSmallIntegerField()
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="postings", db_index=False
    )
    direction = models.CharField(max_length=6, choices=Direction)
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=255, blank=True)
    chain_seq = models.BigIntegerField(null=True)
    chain_hash = models.BinaryField(null=True)
    digest = models.BinaryField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("entry", "line"), name="billing_posting_line"),
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0), name="billing_posting_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="billing_posting_direction"
            ),
            models.CheckConstraint(
                condition=Q(chain_seq__isnull=True, chain_hash__isnull=True)
                | Q(chain_seq__isnull=False, chain_hash__isnull=False),
                name="billing_posting_chain",
            ),
        )
        indexes = (
            models.Index(
                fields=("account", "chain_seq"),
                condition=Q(chain_seq__isnull=False),
                name="billing_posting_chain_idx",
            ),
            # The postings of a platform's account that has few; organizations' have their chains.
            models.Index(
                fields=("account", "entry"),
                condition=Q(chain_seq__isnull=True),
                name="billing_posting_platform",
            ),
            # What was put into wallets, among all that was paid from them.
            models.Index(
                fields=("account", "chain_seq"),
                condition=Q(chain_seq__isnull=False, direction="credit"),
                name="billing_posting_credits",
            ),
        )

    def __str__(self) -> str:
        return f"{self.direction} {self.amount_micros} {self.currency}"
