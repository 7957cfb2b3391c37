"""Read what organizations have."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Now

from billing.models import AccountCode, Balance, Grant
from billing.types import BalanceView
from orgs.models import Organization

UNSPENT = F("amount_micros") - F("held_micros") - F("captured_micros") - F("expired_micros")


def get_balance(*, organization_id: UUID) -> BalanceView:
    """Return what an organization has, in wallet and promotional credit. One query.

    Raises:
        Organization.DoesNotExist: There is no such organization.
    """
    own = Balance.objects.filter(
        account__organization_id=OuterRef("id"), account__currency=OuterRef("currency")
    )
    wallet = own.filter(account__code=AccountCode.WALLET)
    promo = own.filter(account__code=AccountCode.WALLET_PROMO)
    receivable = own.filter(account__code=AccountCode.RECEIVABLE)
    currency, posted, held, promo_held, promo_seq, unspent, owed = (
        Organization.objects.filter(id=organization_id)
        .annotate(
            posted=Subquery(wallet.values("posted_micros")),
            held=Subquery(wallet.values("held_micros")),
            promo_held=Subquery(promo.values("held_micros")),
            promo_seq=Subquery(promo.values("seq")),
            unspent=Subquery(_unspent()),
            owed=Subquery(receivable.values("posted_micros")),
        )
        .values_list("currency", "posted", "held", "promo_held", "promo_seq", "unspent", "owed")
        .get()
    )
    promo_micros = int(unspent or 0)
    return BalanceView(
        currency=currency,
        available_micros=(posted or 0) - (held or 0) + promo_micros,
        held_micros=(held or 0) + (promo_held or 0),
        promo_micros=promo_micros,
        had_promo=bool(promo_seq),
        owed_micros=max(0, owed or 0),
    )


def list_balances(*, organization_ids: Collection[UUID]) -> dict[UUID, BalanceView]:
    """Return what organizations have; one without a wallet yet is absent. One query.

    Promotional credit that has just expired may be in it for a minute.
    """
    promo = Q(account__code=AccountCode.WALLET_PROMO)
    rows = (
        Balance.objects.filter(
            account__organization_id__in=organization_ids,
            account__code__in=(AccountCode.WALLET, AccountCode.WALLET_PROMO),
            account__currency=F("account__organization__currency"),
        )
        .values_list("account__organization_id", "account__currency")
        .annotate(
            available=Sum(F("posted_micros") - F("held_micros")),
            held=Sum("held_micros"),
            promo=Sum(F("posted_micros") - F("held_micros"), filter=promo, default=0),
            promo_seq=Max("seq", filter=promo, default=0),
        )
    )
    return {
        owner: BalanceView(currency, int(available), int(held), int(promo), promo_seq > 0)
        for owner, currency, available, held, promo, promo_seq in rows
    }


def _unspent() -> QuerySet[Grant, int]:
    """Select what may still be spent of an outer organization's grants."""
    return (
        Grant.objects.filter(
            organization_id=OuterRef("id"),
            currency=OuterRef("currency"),
            status=Grant.Status.GRANTED,
            expires_at__gt=Now(),
        )
        .order_by()
        .values("organization_id")
        .annotate(unspent=Sum(UNSPENT))
        .values_list("unspent", flat=True)
    )
