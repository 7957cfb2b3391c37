"""Telling organizations that their balance is low."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from billing.errors import InvalidAmountError
from billing.models import BalanceAlert
from billing.money import format_amount
from billing.services.alert_mails import write_alerts
from orgs.models import Organization
from orgs.permissions import Permission
from orgs.services.audit import Action, Actor, Target, record, require_permission
from orgs.services.outbox import EventType, write_event

# What organizations with a line have, promotional credit included.
_AVAILABLE: Final = """
SELECT line.organization_id, account.currency,
    sum(balance.posted_micros - balance.held_micros)::bigint AS available_micros
FROM billing_balancealert AS line
JOIN orgs_organization AS organization ON organization.id = line.organization_id
JOIN billing_account AS account ON account.organization_id = line.organization_id
    AND account.currency = organization.currency AND account.code IN ('wallet', 'wallet_promo')
JOIN billing_balance AS balance ON balance.account_id = account.id
GROUP BY line.organization_id, account.currency
"""
# Each crossing of the line is claimed by the update, and told of in the same transaction.
_FIRE: Final = f"""
UPDATE billing_balancealert AS alert
SET fired_at = %(now)s
FROM ({_AVAILABLE}) AS own
WHERE own.organization_id = alert.organization_id AND alert.fired_at IS NULL
    AND own.available_micros < alert.below_micros
RETURNING alert.organization_id, alert.below_micros, own.available_micros, own.currency
"""  # noqa: S608 - made of constants
_REARM: Final = f"""
UPDATE billing_balancealert AS alert
SET fired_at = NULL
FROM ({_AVAILABLE}) AS own
WHERE own.organization_id = alert.organization_id AND alert.fired_at IS NOT NULL
    AND own.available_micros >= alert.below_micros
"""  # noqa: S608 - made of constants


def set_balance_alert(*, organization_id: UUID, below_micros: int | None, actor: Actor) -> None:
    """Set the line below which a balance is low, in the wallet's currency; None removes it.

    A balance that is below it already is told of once. The same line again changes nothing.

    Raises:
        InvalidAmountError: The line is not above zero.
        PermissionDeniedError: The actor may not manage budgets.
    """
    if below_micros is not None and below_micros <= 0:
        raise InvalidAmountError("The line must be above zero.")
    with transaction.atomic():
        # Locked, so that two changes at once are logged in their order.
        organization = Organization.objects.select_for_update(no_key=True).get(id=organization_id)
        require_permission(
            organization_id=organization_id, actor=actor, permission=Permission.MANAGE_BUDGETS
        )
        own = BalanceAlert.objects.filter(organization=organization)
        before = own.values_list("below_micros", flat=True).first()
        if below_micros == before:
            return
        if below_micros is None:
            own.delete()
        else:
            BalanceAlert.objects.update_or_create(
                organization=organization,
                defaults={"below_micros": below_micros, "fired_at": None},
            )
        record(
            action=Action.BALANCE_ALERT_CHANGED,
            actor=actor,
            organization_id=organization_id,
            target=Target("organization", organization_id, organization.name),
            before={"below": _written(before, organization.currency)},
            after={"below": _written(below_micros, organization.currency)},
        )


def _written(below_micros: int | None, currency: str) -> str | None:
    return None if below_micros is None else f"{format_amount(below_micros, currency)} {currency}"


def announce_low_balances(*, now: datetime) -> int:
    """Tell of each balance that has fallen below its line; return how many.

    By the webhook event `balance.low`, and by mail to those who manage budgets. One transaction, of
    rows that have a line alone. What rose above its line again can be told of anew. Nothing of it
    is on the way of a request.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_REARM)
        cursor.execute(_FIRE, {"now": now})
        fallen = cursor.fetchall()
        for organization_id, below_micros, available_micros, currency in fallen:
            available = format_amount(available_micros, currency)
            below = format_amount(below_micros, currency)
            write_event(
                organization_id=organization_id,
                kind=EventType.BALANCE_LOW,
                data={
                    "object": "balance",
                    "available": available,
                    "below": below,
                    "currency": currency,
                },
                now=now,
            )
            write_alerts(
                organization=Organization.objects.get(id=organization_id),
                kind="balance_low",
                page="billing",
                context={
                    "available": f"{available} {currency}",
                    "below": f"{below} {currency}",
                },
                now=now,
            )
    return len(fallen)
