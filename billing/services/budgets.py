"""Monthly budgets of organizations and keys."""

from uuid import UUID

from django.db import transaction

from billing.errors import InvalidAmountError
from billing.models import Budget


def open_key_budget(
    *, organization_id: UUID, api_key_id: UUID, limit_micros: int | None = None
) -> None:
    """Open the budget of a key; one that is open already keeps its limit.

    Raises:
        InvalidAmountError: The limit is negative.
    """
    _check_limit(limit_micros)
    Budget.objects.bulk_create(
        [Budget(organization_id=organization_id, api_key_id=api_key_id, limit_micros=limit_micros)],
        ignore_conflicts=True,
    )


def open_budgets(*, organization_id: UUID, api_key_id: UUID | None) -> None:
    """Open the organization's budget and a key's, without limit, where they are missing."""
    owners = {None, api_key_id}
    Budget.objects.bulk_create(
        [Budget(organization_id=organization_id, api_key_id=owner) for owner in owners],
        ignore_conflicts=True,
    )


def set_limit(*, organization_id: UUID, api_key_id: UUID | None, limit_micros: int | None) -> None:
    """Set a monthly limit in the wallet's currency; None removes it.

    Holds that are open count against the new limit and are not refused after the fact.

    Args:
        organization_id: Owner of the budget.
        api_key_id: The key, or None for the organization's own budget.
        limit_micros: Held and captured together may not exceed it within one month.

    Raises:
        InvalidAmountError: The limit is negative.
    """
    _check_limit(limit_micros)
    with transaction.atomic():
        open_budgets(organization_id=organization_id, api_key_id=api_key_id)
        Budget.objects.filter(organization_id=organization_id, api_key_id=api_key_id).update(
            limit_micros=limit_micros
        )


def _check_limit(limit_micros: int | None) -> None:
    if limit_micros is not None and limit_micros < 0:
        raise InvalidAmountError("A budget cannot be negative.")
