"""Monthly budgets of organizations and keys."""

from uuid import UUID

from django.db import transaction

from billing.errors import InvalidAmountError
from billing.models import Budget
from billing.money import format_amount
from orgs.errors import ApiKeyNotFoundError
from orgs.models import ApiKey, Organization
from orgs.permissions import Permission
from orgs.services.audit import Action, Actor, Target, record, require_permission


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


def change_budget(
    *, organization_id: UUID, api_key_id: UUID | None, limit_micros: int | None, actor: Actor
) -> None:
    """Set or remove a monthly limit for somebody, and log it; the same limit again logs nothing.

    Args:
        organization_id: Whose budget.
        api_key_id: The key, or None for the organization's own budget.
        limit_micros: As for `set_limit`; 0 stops all spending, None removes the limit.
        actor: For whom.

    Raises:
        PermissionDeniedError: The actor may not manage budgets.
        ApiKeyNotFoundError: The organization has no such key.
        InvalidAmountError: The limit is negative.
    """
    with transaction.atomic():
        require_permission(
            organization_id=organization_id, actor=actor, permission=Permission.MANAGE_BUDGETS
        )
        organization = Organization.objects.get(id=organization_id)
        target = Target("budget", organization.id, organization.name)
        if api_key_id is not None:
            api_key = ApiKey.objects.filter(organization=organization, id=api_key_id).first()
            if api_key is None:
                raise ApiKeyNotFoundError(f"There is no API key {api_key_id}.")
            target = Target("budget", api_key.id, api_key.name)
        open_budgets(organization_id=organization_id, api_key_id=api_key_id)
        # Locked, so that two changes at once are logged in their order.
        budget = Budget.objects.select_for_update(no_key=True).get(
            organization=organization, api_key_id=api_key_id
        )
        before = budget.limit_micros
        set_limit(organization_id=organization_id, api_key_id=api_key_id, limit_micros=limit_micros)
        if limit_micros != before:
            record(
                action=Action.BUDGET_CHANGED,
                actor=actor,
                organization_id=organization_id,
                target=target,
                before={"limit": _written(before, organization.currency)},
                after={"limit": _written(limit_micros, organization.currency)},
            )


def _written(limit_micros: int | None, currency: str) -> str | None:
    return None if limit_micros is None else f"{format_amount(limit_micros, currency)} {currency}"


def _check_limit(limit_micros: int | None) -> None:
    if limit_micros is not None and limit_micros < 0:
        raise InvalidAmountError("A budget cannot be negative.")
