"""Authorize, capture and release holds.

All three join the caller's transaction, lock in the order hold, key budget, organization budget,
grants, balances, and take everything after the hold in one statement. An error means that the
caller's transaction must be rolled back (there is no savepoint): then nothing was written.
Promotional credit is spent before the wallet, that which expires first before the rest.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from billing.digests import hold_digest
from billing.errors import HoldClosedError, HoldNotFoundError, LedgerCorruptError
from billing.models import AccountCode, EntryKind, Hold, HoldStatus
from billing.selectors.shortfalls import balance_shortfall, budget_shortfall
from billing.services.accounts import account
from billing.services.budgets import open_budgets
from billing.services.hold_lines import capture_lines, held_after, promo_account, promo_captured
from billing.services.hold_sql import (
    AUTHORIZE,
    CAPTURE,
    FIND,
    HOLD_COLUMNS,
    LOCK,
    READ_COLUMNS,
    RELEASE,
    TERMS,
)
from billing.services.ledger import prepare_entry
from billing.types import AuthorizedHold, Captured, UnitQuote
from core.ids import new_uuid

CAPTURE_KEY_PREFIX: Final = "generation:"


class _Budgets(NamedTuple):
    time_zone: str
    key_budget_id: int | None
    org_budget_id: int | None


class PreparedCapture(NamedTuple):
    """What a capture will have done, and the parameters of its statement.

    That has `PROMO_CAPTURE_CTES` where `has_promo`, else `CAPTURE_CTES`.
    """

    captured: Captured
    params: dict[str, Any]
    has_promo: bool


def authorize_hold(
    *,
    organization_id: UUID,
    api_key_id: UUID | None,
    reference: str,
    quote: UnitQuote,
    count: int,
    deadline_at: datetime,
    now: datetime,
) -> AuthorizedHold:
    """Set the price of `count` images aside, within both budgets and what is available.

    Two statements. The budgets' month is that of `now` in the organization's time zone, and stays
    with the hold.

    Args:
        organization_id: Whose wallet, in the quote's currency.
        api_key_id: Whose budget besides the organization's, if a key asked.
        reference: Text id of the generation; one hold each.
        quote: The price of one image; stored, never asked for again.
        count: Images, at least one.
        deadline_at: When the generation must have ended.
        now: When it is authorized.

    Raises:
        BudgetExceededError: The key's or the organization's budget does not cover it.
        InsufficientBalanceError: Promotional credit and wallet do not cover it.
    """
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        budgets = _budgets(organization_id, api_key_id)
        hold = _new_hold(
            organization_id=organization_id,
            api_key_id=api_key_id,
            reference=reference,
            quote=quote,
            count=count,
            deadline_at=deadline_at,
            time_zone=budgets.time_zone,
            now=now,
        )
        cursor.execute(AUTHORIZE, _authorize_params(hold))
        reserved = cursor.fetchone()
        if reserved[2] == 0:
            raise _shortfall(hold, budgets, *reserved[:2], promo_micros=reserved[3])
    return AuthorizedHold(
        id=hold.id,
        reference=reference,
        amount_micros=hold.amount_micros,
        unit_micros=quote.unit_micros,
        count=count,
        currency=quote.currency,
        deadline_at=deadline_at,
    )


def hold_params(
    *,
    organization_id: UUID,
    api_key_id: UUID | None,
    reference: str,
    quote: UnitQuote,
    count: int,
    deadline_at: datetime,
    time_zone: str,
    now: datetime,
) -> dict[str, Any]:
    """Return the parameters of `hold_sql.AUTHORIZE_CTES` and `PROMO_AUTHORIZE_CTES`.

    They are for a caller's own statement. Nothing is read or written; where it inserts no hold, the
    caller rolls back and asks `authorize_hold`, whose arguments these are, and which says what did
    not suffice. The budgets' month is in `time_zone`, the organization's.
    """
    hold = _new_hold(
        organization_id=organization_id,
        api_key_id=api_key_id,
        reference=reference,
        quote=quote,
        count=count,
        deadline_at=deadline_at,
        time_zone=time_zone,
        now=now,
    )
    return _authorize_params(hold)


def capture_hold(
    *,
    reference: str,
    artifact_references: Sequence[str],
    now: datetime,
    count: int | None = None,
) -> Captured:
    """Charge the delivered images of a hold and release the rest.

    Two statements. Books one entry, `generation:<reference>`, with one wallet line per artifact
    that carries the artifact's reference; from a foreign list currency through `fx_clearing`.

    Args:
        reference: The hold's.
        artifact_references: Text ids of the delivered images, each once, at least one.
        now: Booking time; the month the charge belongs to.
        count: Must equal the number of artifacts where given.

    Raises:
        HoldNotFoundError: There is no such hold.
        HoldClosedError: It was captured or released before.
    """
    if count not in {None, len(artifact_references)}:
        raise ValueError("a capture is for exactly the artifacts it names")
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        hold = _lock_open_hold(reference)
        prepared = prepare_capture(hold, artifact_references=artifact_references, now=now)
        cursor.execute(CAPTURE[prepared.has_promo], prepared.params)
        if cursor.fetchone() != (1,):
            raise LedgerCorruptError(f"The capture of '{reference}' could not be booked.")
    return prepared.captured


def find_open_hold(reference: str) -> Hold | None:
    """Return a hold that is authorized, as it is at this moment; takes no lock.

    Its terms can never change, and whoever closes it compares its status once more.
    """
    with connection.cursor() as cursor:
        cursor.execute(FIND, [reference])
        row = cursor.fetchone()
    hold = None if row is None else Hold(**dict(zip(READ_COLUMNS, row, strict=True)))
    return hold if hold is not None and hold.status == HoldStatus.AUTHORIZED else None


def prepare_capture(
    hold: Hold, *, artifact_references: Sequence[str], now: datetime
) -> PreparedCapture:
    """Compute a capture, for `CAPTURE_CTES` or `PROMO_CAPTURE_CTES` in a caller's own statement.

    Nothing is read or written. Where that statement books no entry, the caller rolls back and asks
    `capture_hold`, which says why.
    """
    delivered = len(artifact_references)
    if delivered == 0 or len(set(artifact_references)) != delivered:
        raise ValueError("a capture is for at least one artifact, each named once")
    if delivered > hold.count:
        raise ValueError("a capture cannot be for more images than the hold")
    hold_amount_micros = hold.amount_micros
    _close(hold, HoldStatus.CAPTURED, captured_count=delivered, now=now)
    lines = capture_lines(hold, artifact_references)
    held = held_after(hold, lines)
    prepared = prepare_entry(
        kind=EntryKind.CAPTURE,
        idempotency_key=f"{CAPTURE_KEY_PREFIX}{hold.reference}",
        lines=lines,
        now=now,
        reference=hold.reference,
        description=f"{delivered} of {hold.count} images",
        held=held.with_entry,
    )
    captured = Captured(
        entry_id=prepared.entry.id,
        reference=hold.reference,
        amount_micros=hold.captured_micros,
        released_micros=hold_amount_micros - hold.captured_micros,
        unit_micros=hold.unit_micros,
        count=delivered,
        currency=hold.currency,
    )
    params = {**prepared.params, **_close_params(hold), "freed_micros": held.beside_entry}
    return PreparedCapture(captured, params, has_promo=hold.promo_micros > 0)


def release_hold(*, reference: str, now: datetime) -> int:
    """Give all of a hold back; nothing is charged. Two statements.

    Returns:
        The released micros.

    Raises:
        HoldNotFoundError: There is no such hold.
        HoldClosedError: It was captured or released before.
    """
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        hold = _lock_open_hold(reference)
        _close(hold, HoldStatus.RELEASED, captured_count=0, now=now)
        cursor.execute(RELEASE[hold.promo_micros > 0], _close_params(hold))
        if cursor.fetchone() != (1,):
            raise LedgerCorruptError(f"The hold of '{reference}' could not be released.")
    return hold.amount_micros


def _budgets(organization_id: UUID, api_key_id: UUID | None) -> _Budgets:
    budgets = _read_budgets(organization_id, api_key_id)
    if budgets.org_budget_id is None or (api_key_id is not None and budgets.key_budget_id is None):
        open_budgets(organization_id=organization_id, api_key_id=api_key_id)
        budgets = _read_budgets(organization_id, api_key_id)
    return budgets


def _read_budgets(organization_id: UUID, api_key_id: UUID | None) -> _Budgets:
    with connection.cursor() as cursor:
        cursor.execute(TERMS, {"organization_id": organization_id, "api_key_id": api_key_id})
        return _Budgets(*cursor.fetchone())


def _new_hold(
    *,
    organization_id: UUID,
    api_key_id: UUID | None,
    reference: str,
    quote: UnitQuote,
    count: int,
    deadline_at: datetime,
    time_zone: str,
    now: datetime,
) -> Hold:
    if count < 1:
        raise ValueError("a hold is for at least one image")
    hold = Hold(
        id=new_uuid(),
        organization_id=organization_id,
        account_id=account(AccountCode.WALLET, quote.currency, organization_id).id,
        api_key_id=api_key_id,
        reference=reference,
        amount_micros=quote.unit_micros * count,
        unit_micros=quote.unit_micros,
        list_unit_micros=quote.list_unit_micros,
        count=count,
        currency=quote.currency,
        price_version_id=quote.price_version_id,
        pixels=quote.pixels,
        inputs=quote.inputs,
        list_amount=quote.list_amount,
        list_currency=quote.list_currency,
        markup=quote.markup,
        markup_version_id=quote.markup_id,
        rate=quote.rate,
        fx_rate_id=quote.fx_rate_id,
        spread=quote.spread,
        spread_version_id=quote.spread_id,
        budget_period=now.astimezone(ZoneInfo(time_zone)).date().replace(day=1),
        deadline_at=deadline_at,
        authorized_at=now,
        status=HoldStatus.AUTHORIZED.value,
    )
    hold.digest = hold_digest(hold)
    return hold


def _authorize_params(hold: Hold) -> dict[str, Any]:
    return {
        **{name: getattr(hold, name) for name in HOLD_COLUMNS},
        "keys": 0 if hold.api_key_id is None else 1,
        "promo_account_id": promo_account(hold).id,
    }


def _shortfall(
    hold: Hold, budgets: _Budgets, key_reserved: int, org_reserved: int, *, promo_micros: int
) -> Exception:
    """Return the error for the first step that reserved nothing."""
    for budget_id, owner, reserved in (
        (budgets.key_budget_id, "API key", key_reserved),
        (budgets.org_budget_id, "organization", org_reserved),
    ):
        if budget_id is not None and not reserved:
            return budget_shortfall(
                budget_id=budget_id,
                owner=owner,
                period=hold.budget_period,
                needed_micros=hold.amount_micros,
                currency=hold.currency,
            )
    return balance_shortfall(
        account_id=hold.account_id,
        promo_micros=promo_micros,
        needed_micros=hold.amount_micros,
        currency=hold.currency,
    )


def _lock_open_hold(reference: str) -> Hold:
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [reference])
        row = cursor.fetchone()
    if row is None:
        raise HoldNotFoundError(f"There is no hold for '{reference}'.")
    hold = Hold(**dict(zip(READ_COLUMNS, row, strict=True)))
    if hold.status != HoldStatus.AUTHORIZED:
        raise HoldClosedError(f"The hold for '{reference}' has been {hold.status} already.")
    return hold


def _close(hold: Hold, status: HoldStatus, *, captured_count: int, now: datetime) -> None:
    hold.status = status.value
    hold.captured_count = captured_count
    hold.captured_micros = hold.unit_micros * captured_count
    hold.closed_at = now
    hold.digest = hold_digest(hold)


def _close_params(hold: Hold) -> dict[str, Any]:
    promo = (
        {}
        if not hold.promo_micros
        else {
            "wallet_id": hold.account_id,
            "promo_account_id": promo_account(hold).id,
            "promo_captured": promo_captured(hold),
        }
    )
    return {
        **promo,
        "hold_id": hold.id,
        "status": hold.status,
        "captured_micros": hold.captured_micros,
        "captured_count": hold.captured_count,
        "closed_at": hold.closed_at,
        "hold_digest": hold.digest,
    }
