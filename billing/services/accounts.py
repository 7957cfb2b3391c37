"""Open accounts and name them."""

from typing import Final
from uuid import UUID, uuid5

from django.db import transaction

from billing.models import Account, AccountCode, AccountKind, Balance, Budget
from billing.models.accounts import ORGANIZATION_CODES
from billing.money import check_currency
from billing.types import AccountRef

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
