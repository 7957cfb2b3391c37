"""Opening organizations and keys together with their accounts and budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.money import check_currency
from billing.services.accounts import open_accounts
from billing.services.budgets import open_key_budget
from orgs.models import ApiKey, Organization
from orgs.services import api_keys, organizations


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a new key may do. A budget is micros of the organization's currency a month."""

    name: str
    livemode: bool = True
    scopes: Sequence[str] = ()
    models_allowed: Sequence[str] = ()
    cidrs: Sequence[str] = ()
    max_concurrent: int | None = None
    expires_at: datetime | None = None
    budget_micros: int | None = None


def open_organization(
    *,
    name: str,
    currency: str,
    time_zone: str = "UTC",
    is_demo: bool = False,
    max_concurrent: int | None = None,
) -> Organization:
    """Create an organization with its accounts, balances and budget, in one transaction."""
    with transaction.atomic():
        organization = organizations.create_organization(
            name=name,
            currency=check_currency(currency.upper()),
            time_zone=time_zone,
            is_demo=is_demo,
            max_concurrent=max_concurrent,
        )
        open_accounts(organization_id=organization.id, currency=organization.currency)
    return organization


def open_api_key(*, organization: Organization, terms: KeyTerms) -> tuple[ApiKey, str]:
    """Mint a key with its budget, in one transaction; return its row and its secret."""
    with transaction.atomic():
        api_key, secret = api_keys.create_api_key(
            organization=organization,
            name=terms.name,
            livemode=terms.livemode,
            scopes=terms.scopes,
            models_allowed=terms.models_allowed,
            cidrs=terms.cidrs,
            max_concurrent=terms.max_concurrent,
            expires_at=terms.expires_at,
        )
        open_key_budget(
            organization_id=organization.id,
            api_key_id=api_key.id,
            limit_micros=terms.budget_micros,
        )
    return api_key, secret


def describe(organization_id: UUID, api_key: ApiKey) -> Mapping[str, object]:
    """Return what may be printed of a key: everything but its secret."""
    return {
        "id": str(api_key.id),
        "organization": str(organization_id),
        "name": api_key.name,
        "livemode": api_key.livemode,
    }
