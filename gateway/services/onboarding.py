"""Opening organizations and keys together with their accounts and budgets."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from billing.money import check_currency
from billing.services.accounts import open_accounts
from billing.services.budgets import open_key_budget
from gateway.catalog.registry import catalog
from orgs.errors import InvalidInputError
from orgs.models import ApiKey, Organization
from orgs.services import api_keys, key_administration, organizations
from orgs.services.audit import SYSTEM, Actor


@dataclass(frozen=True, slots=True)
class KeyTerms(key_administration.KeyPolicy):
    """What a new key may do and spend: micros of the organization's currency a month."""

    budget_micros: int | None = None


def open_organization(
    *,
    name: str,
    currency: str,
    time_zone: str = "UTC",
    is_demo: bool = False,
    max_concurrent: int | None = None,
    rates: api_keys.Rates = api_keys.Rates(),  # noqa: B008 - immutable
    actor: Actor = SYSTEM,
) -> Organization:
    """Create an organization with its accounts, balances and budget, in one transaction."""
    with transaction.atomic():
        organization = organizations.create_organization(
            name=name,
            currency=check_currency(currency.upper()),
            time_zone=time_zone,
            is_demo=is_demo,
            max_concurrent=max_concurrent,
            rates=rates,
            actor=actor,
        )
        open_accounts(organization_id=organization.id, currency=organization.currency)
    return organization


def open_api_key(
    *, organization: Organization, terms: KeyTerms, actor: Actor = SYSTEM
) -> tuple[ApiKey, str]:
    """Mint a key with its budget, in one transaction; return its row and its secret.

    Raises:
        InvalidInputError: The catalog lacks a model of its list, or a term cannot be.
        InvalidAmountError: The budget is negative.
    """
    for model_id in terms.models_allowed:
        if catalog().find(model_id) is None:
            raise InvalidInputError(
                f"Unknown model {model_id!r}; see GET /v1/models.", param="models"
            )
    with transaction.atomic():
        api_key, secret = key_administration.create_api_key(
            organization=organization, policy=terms, actor=actor
        )
        open_key_budget(
            organization_id=organization.id,
            api_key_id=api_key.id,
            limit_micros=terms.budget_micros,
        )
    return api_key, secret


def describe(organization_id: UUID, api_key: ApiKey) -> Mapping[str, object]:
    """Return what may be printed of a key: its policy, and nothing of its secret."""
    return {
        "id": str(api_key.id),
        "organization": str(organization_id),
        "name": api_key.name,
        "livemode": api_key.livemode,
        "scopes": api_key.scopes,
        "models": api_key.models_allowed,
        "cidr": api_key.cidrs,
        "requests_per_minute": api_key.requests_per_minute,
        "images_per_minute": api_key.images_per_minute,
        "concurrent": api_key.max_concurrent,
        "expires": api_key.expires_at.isoformat() if api_key.expires_at else None,
    }
