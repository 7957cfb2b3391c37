"""Importing price lists: all of a file or nothing, once, exactly what was looked at before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from billing.services.prices import add_price_version
from gateway.errors import InvalidRequestError
from gateway.services.pricebook.losses import find_book_losses
from gateway.services.pricebook.sheets import Sheet, SheetPrice, read_sheet
from gateway.services.pricebook.staff import require_pricing
from orgs.models import AuditEvent
from orgs.services.audit import Action, Actor, Target, record

REASON_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class PriceImport:
    """A file to be imported.

    Attributes:
        id: One for each file that somebody has looked at; it is imported once.
        text: The file.
        reason: For the log.
    """

    id: UUID
    text: str
    reason: str

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the file, which the log names."""
        return sha256(self.text.encode()).hexdigest()


def import_prices(*, file: PriceImport, allow_loss: bool, actor: Actor, now: datetime) -> int:
    """Add every price of a file in one transaction, and log it; holds that exist keep theirs.

    Returns:
        How many prices were added.

    Raises:
        PermissionDeniedError: The actor neither runs the platform nor is of finance.
        InvalidRequestError: A line is wrong, the file was imported already, there is no reason, or
            images would sell at a loss (`details["losses"]`) and `allow_loss` is False; nothing is
            changed then.
    """
    require_pricing(actor)
    if not 0 < len(file.reason.strip()) <= REASON_LENGTH:
        raise InvalidRequestError("Say why.", param="reason")
    sheet = read_sheet(file.text, now=now)
    if sheet.errors:
        raise InvalidRequestError("The file has errors, so nothing was imported.", param="file")
    with transaction.atomic():
        _take(file.id)
        versions = [
            add_price_version(
                row=one.row, active_from=one.begins(now), now=now, created_by=actor.label
            )
            for one in sheet.prices
        ]
        losses = sheet_losses(sheet, now=now)
        if losses and not allow_loss:
            raise InvalidRequestError(
                "At these prices images would sell at a loss: " + "; ".join(losses[:5]),
                param="allow_loss",
                details={"losses": losses},
            )
        record(
            action=Action.PRICES_IMPORTED,
            actor=actor,
            organization_id=None,
            target=Target("price_import", file.id, ", ".join(_books(sheet.prices))),
            after={
                "sha256": file.digest,
                "prices": len(versions),
                "first_version": min(versions),
                "last_version": max(versions),
                "reason": file.reason.strip(),
                "losses": losses,
                "allow_loss": allow_loss,
            },
        )
    return len(versions)


def sheet_losses(sheet: Sheet, *, now: datetime) -> list[str]:
    """Return what would sell below cost at any instant from which a price of the file holds."""
    found: dict[str, None] = {}
    for currency in sorted({one.row.currency for one in sheet.prices}):
        prices = [one for one in sheet.prices if one.row.currency == currency]
        for at in sorted({one.begins(now) for one in prices}):
            begun = sorted(
                (one for one in prices if one.begins(now) <= at), key=lambda one: one.begins(now)
            )
            losses = find_book_losses(
                currency=currency,
                now=at,
                model_keys={one.row.model_key for one in begun},
                rows=[one.view(now) for one in begun],
            )
            found |= dict.fromkeys(f"{currency}: {loss}" for loss in losses)
    return list(found)


def _take(import_id: UUID) -> None:
    """Refuse a file that was imported; two confirmations at once wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(import_id)])
    done = AuditEvent.objects.filter(
        action=Action.PRICES_IMPORTED.value, object_id=str(import_id), organization=None
    )
    if done.exists():
        raise InvalidRequestError("This file was imported already.", param="file")


def _books(prices: Sequence[SheetPrice]) -> list[str]:
    return sorted({one.row.price_book for one in prices})
