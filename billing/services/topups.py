"""Put money into wallets, and take it back.

What an organization owes us (`receivable`) is paid before its wallet is filled; what the wallet
cannot give back becomes owed.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from billing.errors import CurrencyMismatchError, EntryConflictError, InvalidAmountError
from billing.models import AccountCode, Direction, EntryKind, JournalEntry
from billing.money import MAX_AMOUNT_MICROS, format_amount
from billing.services.accounts import account, open_accounts
from billing.services.ledger import post_entry
from billing.types import AccountRef, EntryView, Line
from orgs.models import Organization, lock_organization
from orgs.services.outbox import EventType, write_event

_LOCK_BALANCES: Final = """
SELECT account_id, posted_micros - held_micros FROM billing_balance
WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE
"""


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
        return book_top_up(
            organization_id=organization_id,
            idempotency_key=f"top_up:{idempotency_key}",
            received=Line(
                account(AccountCode.CASH, wallet_currency), Direction.DEBIT, amount_micros
            ),
            tax_micros=0,
            reference=reference,
            description=f"Top-up ({source})",
            now=now,
        )


def book_top_up(
    *,
    organization_id: UUID,
    idempotency_key: str,
    received: Line,
    tax_micros: int,
    reference: str,
    description: str,
    now: datetime,
    effective_at: datetime | None = None,
) -> EntryView:
    """Book money received, and tell webhooks of it. Joins the caller's transaction.

    The organization is locked, so that of two repetitions one finds the other's entry.

    Args:
        organization_id: Whose wallet; its accounts in the currency are open.
        idempotency_key: The entry's key.
        received: The debited line: where the money is, and how much with tax.
        tax_micros: How much of it is tax, and not the wallet's.
        reference: The payment's id at its source.
        description: For people.
        now: Booking time.
        effective_at: When the money came; `now` unless told.

    Raises:
        EntryConflictError: The key was used for another payment.
    """
    currency = received.account.currency
    lock_organization(organization_id)
    if booked := _booked_before(idempotency_key, received, reference):
        return booked
    net_micros = received.amount_micros - tax_micros
    lines = [
        received,
        *credit_lines(
            organization_id=organization_id,
            currency=currency,
            micros=net_micros,
            tax_micros=tax_micros,
        ),
    ]
    entry = post_entry(
        kind=EntryKind.TOP_UP,
        idempotency_key=idempotency_key,
        lines=lines,
        now=now,
        reference=reference,
        description=description,
        effective_at=effective_at,
    )
    _tell(entry, organization_id, (net_micros, tax_micros), currency, reference, now)
    return entry


def credit_lines(
    *, organization_id: UUID, currency: str, micros: int, tax_micros: int = 0
) -> list[Line]:
    """Return the lines that credit an organization: first what it owes, the rest to its wallet.

    Tax beside it is owed to the state. Locks both balances until the transaction ends.
    """
    wallet, receivable = _accounts(organization_id, currency)
    owed = max(0, _lock_balances(wallet.id, receivable.id)[receivable.id])
    settled = min(owed, micros)
    tax = account(AccountCode.TAX_PAYABLE, currency)
    parts = ((receivable, settled), (wallet, micros - settled), (tax, tax_micros))
    return [Line(ref, Direction.CREDIT, part) for ref, part in parts if part]


def debit_lines(
    *, organization_id: UUID, currency: str, micros: int, tax_micros: int = 0
) -> list[Line]:
    """Return the lines that take money back: what the wallet can give, the rest becomes owed.

    Money set aside for running requests stays. Tax beside it is owed to the state no more. Locks
    both balances until the transaction ends.
    """
    wallet, receivable = _accounts(organization_id, currency)
    available = max(0, _lock_balances(wallet.id, receivable.id)[wallet.id])
    given = min(available, micros)
    tax = account(AccountCode.TAX_PAYABLE, currency)
    parts = ((wallet, given), (receivable, micros - given), (tax, tax_micros))
    return [Line(ref, Direction.DEBIT, part) for ref, part in parts if part]


def _accounts(organization_id: UUID, currency: str) -> tuple[AccountRef, AccountRef]:
    return (
        account(AccountCode.WALLET, currency, organization_id),
        account(AccountCode.RECEIVABLE, currency, organization_id),
    )


def _lock_balances(*account_ids: UUID) -> dict[UUID, int]:
    """Lock balances in the order the ledger does; return what is available in each."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_BALANCES, [list(account_ids)])
        found = dict(cursor.fetchall())
    return {account_id: found.get(account_id, 0) for account_id in account_ids}


def _booked_before(idempotency_key: str, received: Line, reference: str) -> EntryView | None:
    """Return the entry of an earlier call, whatever was owed then."""
    entry = JournalEntry.objects.filter(idempotency_key=idempotency_key).first()
    if entry is None:
        return None
    is_same = entry.postings.filter(
        line=1, account_id=received.account.id, amount_micros=received.amount_micros
    ).exists()
    if not is_same or entry.reference != reference:
        raise EntryConflictError(
            f"The idempotency key '{idempotency_key}' has been used for another entry."
        )
    return EntryView(id=entry.id, kind=entry.kind, idempotency_key=idempotency_key, created=False)


def _lock_currency(organization_id: UUID, currency: str) -> None:
    """Keep the wallet's currency, which may change until the first money, till the commit."""
    locked = lock_organization(organization_id)
    if locked is None or locked.currency != currency:
        raise CurrencyMismatchError("The wallet's currency has just changed. Try again.")


def _tell(
    entry: EntryView,
    organization_id: UUID,
    amounts: tuple[int, int],
    currency: str,
    reference: str,
    now: datetime,
) -> None:
    net_micros, tax_micros = amounts
    write_event(
        organization_id=organization_id,
        kind=EventType.TOPUP_SUCCEEDED,
        data={
            "object": "topup",
            "id": str(entry.id),
            "amount": format_amount(net_micros, currency),
            "tax": format_amount(tax_micros, currency),
            "total": format_amount(net_micros + tax_micros, currency),
            "currency": currency,
            "reference": reference,
            "created": int(now.timestamp()),
        },
        now=now,
    )
