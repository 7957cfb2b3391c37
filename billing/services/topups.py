"""Put money into wallets."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.errors import CurrencyMismatchError, InvalidAmountError
from billing.models import AccountCode, Direction, EntryKind
from billing.money import MAX_AMOUNT_MICROS, format_amount
from billing.services.accounts import account, open_accounts
from billing.services.ledger import post_entry
from billing.types import EntryView, Line
from orgs.models import Organization, lock_organization
from orgs.services.outbox import EventType, write_event


def top_up(
    *,
    organization_id: UUID,
    amount_micros: int,
    idempotency_key: str,
    now: datetime,
    currency: str | None = None,
    reference: str = "",
    source: str = "manual",
) -> EntryView:
    """Credit an organization's wallet with money received, once per idempotency key.

    Opens the organization's accounts where they are missing. Entry key: `top_up:<key>`.

    Args:
        organization_id: Whose wallet.
        amount_micros: In the wallet's currency.
        idempotency_key: Names the payment; a repetition returns the first entry.
        now: Booking time.
        currency: Refused unless it is the wallet's; None trusts the caller.
        reference: The payment's id at its source.
        source: Where the money came from, for the description.

    Raises:
        InvalidAmountError: The amount is not positive.
        CurrencyMismatchError: `currency` is not the wallet's.
        EntryConflictError: The key was used for another payment.
    """
    if not 0 < amount_micros <= MAX_AMOUNT_MICROS:
        raise InvalidAmountError("A top-up must be more than zero.")
    wallet_currency = Organization.objects.values_list("currency", flat=True).get(
        id=organization_id
    )
    if currency is not None and currency != wallet_currency:
        raise CurrencyMismatchError(
            f"The wallet is in {wallet_currency}; {currency} cannot be credited to it."
        )
    with transaction.atomic():
        _lock_currency(organization_id, wallet_currency)
        open_accounts(organization_id=organization_id, currency=wallet_currency)
        entry = post_entry(
            kind=EntryKind.TOP_UP,
            idempotency_key=f"top_up:{idempotency_key}",
            lines=[
                Line(account(AccountCode.CASH, wallet_currency), Direction.DEBIT, amount_micros),
                Line(
                    account(AccountCode.WALLET, wallet_currency, organization_id),
                    Direction.CREDIT,
                    amount_micros,
                ),
            ],
            now=now,
            reference=reference,
            description=f"Top-up ({source})",
        )
        if entry.created:
            _tell(entry, organization_id, amount_micros, wallet_currency, reference, now)
    return entry


def _lock_currency(organization_id: UUID, currency: str) -> None:
    """Keep the wallet's currency, which may change until the first money, till the commit."""
    locked = lock_organization(organization_id)
    if locked is None or locked.currency != currency:
        raise CurrencyMismatchError("The wallet's currency has just changed. Try again.")


def _tell(
    entry: EntryView,
    organization_id: UUID,
    amount_micros: int,
    currency: str,
    reference: str,
    now: datetime,
) -> None:
    write_event(
        organization_id=organization_id,
        kind=EventType.TOPUP_SUCCEEDED,
        data={
            "object": "topup",
            "id": str(entry.id),
            "amount": format_amount(amount_micros, currency),
            "currency": currency,
            "reference": reference,
            "created": int(now.timestamp()),
        },
        now=now,
    )
