"""Accounts and the locked balances of organizations."""

from typing import Final

from django.db import models
from django.db.models import F, Q


class AccountCode(models.TextChoices):
    """What an account is for. The first three belong to organizations, the rest to the platform."""

    WALLET = "wallet"
    WALLET_PROMO = "wallet_promo"
    RECEIVABLE = "receivable"
    CASH = "cash"
    PAYMENT_CLEARING = "payment_clearing"
    PAYMENT_FEES = "payment_fees"
    REVENUE = "revenue"
    PROVIDER_COST = "provider_cost"
    PROVIDER_PAYABLE = "provider_payable"
    FX_CLEARING = "fx_clearing"
    FX_SPREAD = "fx_spread"
    FX_GAIN_LOSS = "fx_gain_loss"
    PROMOTIONS = "promotions"
    BREAKAGE = "breakage"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    TAX_PAYABLE = "tax_payable"
    ROUNDING = "rounding"
    SUSPENSE = "suspense"


class AccountKind(models.TextChoices):
    """Which side an account grows on: asset and expense by debit, the others by credit."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"


ORGANIZATION_CODES: Final = (
    AccountCode.WALLET,
    AccountCode.WALLET_PROMO,
    AccountCode.RECEIVABLE,
)
DEBIT_KINDS: Final = (AccountKind.ASSET, AccountKind.EXPENSE)


class Account(models.Model):
    """A place money is booked to; its id is derived from owner, code and currency."""

    id = models.UUIDField(primary_key=True, editable=False)
    code = models.CharField(max_length=32, choices=AccountCode)
    kind = models.CharField(max_length=16, choices=AccountKind)
    currency = models.CharField(max_length=3)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "code", "currency"),
                nulls_distinct=False,
                name="billing_account_unique",
            ),
            models.CheckConstraint(
                condition=Q(organization__isnull=False, code__in=ORGANIZATION_CODES)
                | (Q(organization__isnull=True) & ~Q(code__in=ORGANIZATION_CODES)),
                name="billing_account_owner",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=AccountKind.values), name="billing_account_kind"
            ),
        )

    def __str__(self) -> str:
        return f"{self.organization_id or 'platform'}:{self.code}:{self.currency}"


class Balance(models.Model):
    """Sums of one organization account, and the tail of its hash chain.

    `posted_micros` counts in the account's growing direction. `head` is
    `sha256(previous head || entry digest)` after `seq` entries, starting from no bytes at all.
    """

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="balance"
    )
    posted_micros = models.BigIntegerField(default=0)
    held_micros = models.BigIntegerField(default=0)
    seq = models.BigIntegerField(default=0)
    head = models.BinaryField(default=b"")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(posted_micros__gte=F("held_micros")), name="billing_balance_available"
            ),
            models.CheckConstraint(
                condition=Q(held_micros__gte=0), name="billing_balance_held_positive"
            ),
        )

    def __str__(self) -> str:
        return f"{self.account_id}: {self.posted_micros} posted, {self.held_micros} held"
