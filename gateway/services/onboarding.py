"""Opening organizations and keys together with their accounts and budgets."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction

from billing.money import check_currency
from billing.services.accounts import open_accounts
from billing.services.budgets import open_key_budget
from gateway.catalog.registry import catalog
from orgs.errors import InvalidInputError
from orgs.models import ApiKey, Membership, Organization, User
from orgs.services import api_keys, key_administration, organizations
from orgs.services.audit import SYSTEM, Actor

# Limits of organizations that sign up themselves.
FIRST_CONCURRENT = 20
FIRST_RATES = api_keys.Rates(requests_per_minute=60, images_per_minute=120)


@dataclass(frozen=True, slots=True)
class KeyTerms(key_administration.KeyPolicy):
    """What a new key may do and spend: micros of the organization's currency a month."""

    budget_micros: int | None = None


def open_organization(
    *,
    name: str,
    currency: str,
    time_zone: str = "UTC",
    language: str = Organization.Language.ENGLISH,
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
            language=language,
            is_demo=is_demo,
            max_concurrent=max_concurrent,
            rates=rates,
            actor=actor,
        )
        open_accounts(organization_id=organization.id, currency=organization.currency)
    return organization


def found_organization(
    *,
    founder: User,
    name: str,
    currency: str,
    time_zone: str,
    language: str,
    actor: Actor,
) -> tuple[Organization, str]:
    """Open an organization for somebody who signed up, with its first key, in one transaction.

    The key is a test key wherever there is a sandbox, so that the first image needs no money. The
    organization has limits, as whoever signs up is not known yet.

    Returns:
        The organization, and the secret of its key, which is never to be had again.

    Raises:
        InvalidInputError: The name is blank or the time zone unknown.
        UnknownCurrencyError: The currency is not an ISO 4217 code.
    """
    with transaction.atomic():
        organization = open_organization(
            name=name,
            currency=currency,
            time_zone=time_zone,
            language=language,
            is_demo=settings.EMBEDDED and settings.LIENZO_SANDBOX == "auto",
            max_concurrent=FIRST_CONCURRENT,
            rates=FIRST_RATES,
            actor=actor,
        )
        organizations.add_member(
            organization=organization, user=founder, role=Membership.Role.OWNER, actor=actor
        )
        terms = KeyTerms(name="First key", livemode=not settings.SANDBOX_BASE_URL)
        _, secret = open_api_key(organization=organization, terms=terms, actor=actor)
    return organization, secret


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
