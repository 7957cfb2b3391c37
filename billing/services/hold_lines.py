"""What the capture of a hold books, and what becomes of the money it held."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from billing.models import AccountCode, Direction, Hold
from billing.money import unit_price_micros
from billing.services.accounts import account
from billing.types import AccountRef, Line


class HeldAfter(NamedTuple):
    """How a capture changes what is held.

    Attributes:
        with_entry: By account id, of the accounts that its entry posts to.
        beside_entry: What the wallet is given back while it pays nothing.
    """

    with_entry: dict[UUID, int]
    beside_entry: int


def promo_account(hold: Hold) -> AccountRef:
    """Name the account of promotional credit beside a hold's wallet."""
    return account(AccountCode.WALLET_PROMO, hold.currency, hold.organization_id)


def promo_captured(hold: Hold) -> int:
    """Return how much of what was captured promotional credit pays: as much as it can."""
    return min(hold.promo_micros, hold.captured_micros)


def held_after(hold: Hold, lines: Sequence[Line]) -> HeldAfter:
    """Return what a capture gives back, by where its statement does so."""
    if not hold.promo_micros:
        return HeldAfter({hold.account_id: -hold.amount_micros}, 0)
    wallet_micros = hold.amount_micros - hold.promo_micros
    changes = {promo_account(hold).id: -hold.promo_micros}
    if all(line.account.id != hold.account_id for line in lines):
        return HeldAfter(changes, wallet_micros)
    return HeldAfter(changes | {hold.account_id: -wallet_micros}, 0)


def capture_lines(hold: Hold, artifact_references: Sequence[str]) -> list[Line]:
    """Return the lines of each artifact: to revenue, by way of `fx_clearing` if needed.

    Promotional credit pays until it is used up, then the wallet; an artifact in between has a line
    of each. What the spread adds stays in the wallet's currency, as `fx_spread`.
    """
    revenue = account(AccountCode.REVENUE, hold.list_currency)
    clearing = account(AccountCode.FX_CLEARING, hold.currency)
    list_clearing = account(AccountCode.FX_CLEARING, hold.list_currency)
    spread = account(AccountCode.FX_SPREAD, hold.currency)
    exchanged_micros = unit_price_micros(hold.list_amount, markup=hold.markup, rate=hold.rate)
    spread_micros = hold.unit_micros - exchanged_micros
    promo_micros = hold.promo_micros
    lines: list[Line] = []
    for artifact in artifact_references:
        lines.extend(_paid_by(hold, artifact, promo_micros))
        promo_micros = max(0, promo_micros - hold.unit_micros)
        if hold.currency != hold.list_currency:
            lines.append(Line(clearing, Direction.CREDIT, exchanged_micros, artifact))
            if spread_micros:
                lines.append(Line(spread, Direction.CREDIT, spread_micros, artifact))
            lines.append(Line(list_clearing, Direction.DEBIT, hold.list_unit_micros, artifact))
        lines.append(Line(revenue, Direction.CREDIT, hold.list_unit_micros, artifact))
    return lines


def _paid_by(hold: Hold, artifact: str, promo_micros: int) -> list[Line]:
    """Return the lines that pay an artifact, with so much promotional credit left."""
    wallet = account(AccountCode.WALLET, hold.currency, hold.organization_id)
    if not promo_micros:
        return [Line(wallet, Direction.DEBIT, hold.unit_micros, artifact)]
    part = min(promo_micros, hold.unit_micros)
    paid = [Line(promo_account(hold), Direction.DEBIT, part, artifact)]
    if part < hold.unit_micros:
        paid.append(Line(wallet, Direction.DEBIT, hold.unit_micros - part, artifact))
    return paid
