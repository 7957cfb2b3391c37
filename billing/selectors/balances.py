"""Read wallets."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import F, OuterRef, Subquery

from billing.models import AccountCode, Balance
from billing.types import BalanceView
from orgs.models import Organization


def get_balance(*, organization_id: UUID) -> BalanceView:
    """Return what an organization's wallet holds; zero before its first top-up.

    Raises:
        Organization.DoesNotExist: There is no such organization.
    """
    wallet = Balance.objects.filter(
        account__organization_id=OuterRef("id"),
        account__code=AccountCode.WALLET,
        account__currency=OuterRef("currency"),
    )
    currency, posted, held = (
        Organization.objects.filter(id=organization_id)
        .annotate(
            posted=Subquery(wallet.values("posted_micros")),
            held=Subquery(wallet.values("held_micros")),
        )
        .values_list("currency", "posted", "held")
        .get()
    )
    return BalanceView(
        currency=currency,
        available_micros=(posted or 0) - (held or 0),
        held_micros=held or 0,
    )


def list_balances(*, organization_ids: Collection[UUID]) -> dict[UUID, BalanceView]:
    """Return the wallets of organizations; one without a wallet yet is absent. One query."""
    rows = Balance.objects.filter(
        account__organization_id__in=organization_ids,
        account__code=AccountCode.WALLET,
        account__currency=F("account__organization__currency"),
    ).values_list("account__organization_id", "account__currency", "posted_micros", "held_micros")
    return {
        owner: BalanceView(currency=currency, available_micros=posted - held, held_micros=held)
        for owner, currency, posted, held in rows
    }
