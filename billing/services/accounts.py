"""Open accounts and name them; change an organization's currency while they are unused."""

from typing import Final
from uuid import UUID, uuid5

from django.db import transaction

from billing.models import Account, AccountCode, AccountKind, Balance, Budget
from billing.models.accounts import ORGANIZATION_CODES
from billing.money import check_currency
from billing.selectors.accounts import has_money
from billing.types import AccountRef
from orgs.errors import CurrencyFixedError
from orgs.models import Organization
from orgs.permissions import Permission
from orgs.services.audit import Action, Actor, Target, record, require_permission

_NAMESPACE: Final = UUID("6d1f6f0e-8a3c-4f5c-9a53-0d7a5e2b9c41")
PLATFORM_CURRENCY: Final = "USD"
"""What list prices of the platform's book and providers' charges are in."""

_KINDS: Final = {
    AccountCode.WALLET: AccountKind.LIABILITY,
    AccountCode.WALLET_PROMO: AccountKind.LIABILITY,
    AccountCode.RECEIVABLE: AccountKind.ASSET,
    AccountCode.CASH: AccountKind.ASSET,
    AccountCode.PAYMENT_CLEARING: AccountKind.ASSET,
    AccountCode.PAYMENT_FEES: AccountKind.EXPENSE,
    AccountCode.REVENUE: AccountKind.INCOME,
    AccountCode.PROVIDER_COST: AccountKind.EXPENSE,
    AccountCode.PROVIDER_PAYABLE: AccountKind.LIABILITY,
    AccountCode.FX_CLEARING: AccountKind.ASSET,
    AccountCode.FX_SPREAD: AccountKind.INCOME,
    AccountCode.FX_GAIN_LOSS: AccountKind.INCOME,
    AccountCode.PROMOTIONS: AccountKind.EXPENSE,
    AccountCode.BREAKAGE: AccountKind.INCOME,
    AccountCode.REFUNDS: AccountKind.EXPENSE,
    AccountCode.DISPUTES: AccountKind.EXPENSE,
    AccountCode.TAX_PAYABLE: AccountKind.LIABILITY,
    AccountCode.ROUNDING: AccountKind.EXPENSE,
    AccountCode.SUSPENSE: AccountKind.LIABILITY,
}


def account(code: AccountCode, currency: str, organization_id: UUID | None = None) -> AccountRef:
    """Name an account without reading it: the id is a UUIDv5 of owner, code and currency."""
    owner = "platform" if organization_id is None else str(organization_id)
    return AccountRef(
        id=uuid5(_NAMESPACE, f"{owner}:{code.value}:{currency}"),
        code=code.value,
        currency=currency,
        organization_id=organization_id,
    )


def account_kind(code: str) -> AccountKind:
    """Return which kind every account of a code is."""
    return _KINDS[AccountCode(code)]


def open_accounts(*, organization_id: UUID, currency: str) -> None:
    """Open an organization's accounts, their balances and its budget; repeating it is harmless.

    The platform's accounts in the same currency are opened with them.

    Raises:
        UnknownCurrencyError: The currency is not an ISO 4217 code.
    """
    check_currency(currency)
    refs = [account(code, currency, organization_id) for code in ORGANIZATION_CODES]
    with transaction.atomic():
        open_platform_accounts(currency=currency)
        _insert(refs)
        Balance.objects.bulk_create(
            [Balance(account_id=ref.id) for ref in refs], ignore_conflicts=True
        )
        Budget.objects.bulk_create(
            [Budget(organization_id=organization_id, api_key=None)], ignore_conflicts=True
        )


def open_platform_accounts(*, currency: str) -> None:
    """Open the platform's accounts in a currency; repeating it is harmless.

    Called wherever a currency enters (wallet, price, rate), so that a capture never finds an
    account missing.

    Raises:
        UnknownCurrencyError: The currency is not an ISO 4217 code.
    """
    check_currency(currency)
    _insert([account(code, currency) for code in AccountCode if code not in ORGANIZATION_CODES])


def change_currency(
    *, organization_id: UUID, currency: str, has_quotes: bool, actor: Actor
) -> Organization:
    """Give an organization another currency, with accounts in it.

    Locks its row wholly, so that neither a hold nor a top-up comes in between.

    Args:
        organization_id: Whose.
        currency: ISO 4217.
        has_quotes: Whether a quote of it may still be used; quotes are kept above this app.
        actor: Needs `manage_settings`.

    Raises:
        UnknownCurrencyError: The currency is not an ISO 4217 code.
        CurrencyFixedError: There was money, a hold, a quote or a limited budget.
        PermissionDeniedError: The actor may not.
    """
    wanted = check_currency(currency.strip().upper())
    with transaction.atomic():
        organization = Organization.objects.select_for_update().get(id=organization_id)
        require_permission(
            organization_id=organization_id, actor=actor, permission=Permission.MANAGE_SETTINGS
        )
        before = organization.currency
        if wanted == before:
            return organization
        _require_unused(organization_id, before, has_quotes=has_quotes)
        organization.currency = wanted
        organization.save(update_fields=["currency"])
        open_accounts(organization_id=organization_id, currency=wanted)
        record(
            action=Action.ORGANIZATION_CURRENCY_CHANGED,
            actor=actor,
            organization_id=organization_id,
            target=Target("organization", organization_id, organization.name),
            before={"currency": before},
            after={"currency": wanted},
        )
    return organization


def _require_unused(organization_id: UUID, currency: str, *, has_quotes: bool) -> None:
    if has_quotes or has_money(organization_id=organization_id):
        raise CurrencyFixedError(f"The currency stays {currency}: there was money, or a quote.")
    if Budget.objects.filter(organization_id=organization_id, limit_micros__isnull=False).exists():
        raise CurrencyFixedError(
            f"Remove the budgets first: they are in {currency}.", param="budgets"
        )


def _insert(refs: list[AccountRef]) -> None:
    Account.objects.bulk_create(
        [
            Account(
                id=ref.id,
                code=ref.code,
                kind=account_kind(ref.code),
                currency=ref.currency,
                organization_id=ref.organization_id,
            )
            for ref in refs
        ],
        ignore_conflicts=True,
    )
