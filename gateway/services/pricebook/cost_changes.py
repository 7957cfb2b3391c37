"""Changing what a provider charges us, from an instant on."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from billing.services.accounts import PLATFORM_CURRENCY
from billing.services.prices import set_price
from gateway.catalog.costs import CostKey
from gateway.errors import InvalidRequestError
from gateway.services.pricebook.costs import all_routes, forget_costs
from gateway.services.pricebook.losses import find_route_losses
from gateway.services.pricebook.staff import require_pricing
from orgs.services.audit import Action, Actor, Target, record

REASON_LENGTH: Final = 500
SOURCE_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class NewCost:
    """What a provider charges for one figure of a route's cost.

    Attributes:
        route: `Route.served_by`.
        amount: USD; zero if it is free.
        source: Where it was read.
        active_from: From when on it holds; None is now.
        reason: Why, for the log.
    """

    route: str
    key: CostKey
    amount: Decimal
    source: str
    reason: str
    active_from: datetime | None = None


def route_figures(route: str) -> list[CostKey]:
    """Return what a route's cost is made of; empty if the catalog has no such route."""
    return sorted({key for one in all_routes() if one.served_by == route for key in one.costs()})


def change_cost(*, cost: NewCost, accept_loss: bool, actor: Actor, now: datetime) -> int:
    """Set a cost from an instant on, and log it; what attempts have cost stays as it was booked.

    Returns:
        Id of the immutable row.

    Raises:
        PermissionDeniedError: The actor neither runs the platform nor is of finance.
        InvalidAmountError: The amount cannot be a cost.
        InvalidRequestError: The route has no such figure, the source or the reason is missing, the
            instant is past, or images would sell at a loss (`details["losses"]`) and
            `accept_loss` is False; nothing is changed then.
    """
    require_pricing(actor)
    _check(cost, now)
    starts_at = cost.active_from or now
    with transaction.atomic():
        before = find_route_losses(route=cost.route, now=starts_at)
        version = set_price(
            kind="cost",
            model_key="",
            route=cost.route,
            unit=cost.key.unit,
            size=cost.key.size,
            quality=cost.key.quality,
            amount=cost.amount,
            currency=PLATFORM_CURRENCY,
            source=cost.source.strip(),
            created_by=actor.label,
            active_from=starts_at,
            now=now,
        )
        losses = find_route_losses(route=cost.route, now=starts_at)
        if losses and not accept_loss:
            raise InvalidRequestError(
                "At this cost images would sell at a loss: " + "; ".join(losses[:5]),
                param="amount",
                details={"losses": losses},
            )
        record(
            action=Action.COST_SET,
            actor=actor,
            organization_id=None,
            target=Target("route", cost.route, cost.route),
            before={"losses": before},
            after={
                "unit": cost.key.unit,
                "size": cost.key.size or None,
                "quality": cost.key.quality or None,
                "amount": f"{cost.amount:f}",
                "source": cost.source.strip(),
                "active_from": starts_at,
                "reason": cost.reason.strip(),
                "losses": losses,
                "allow_loss": accept_loss,
            },
        )
    forget_costs()
    return version


def _check(cost: NewCost, now: datetime) -> None:
    if cost.key not in route_figures(cost.route):
        raise InvalidRequestError(f"{cost.route} has no such cost.", param="figure")
    if not 0 < len(cost.source.strip()) <= SOURCE_LENGTH:
        raise InvalidRequestError("A cost needs a source.", param="source")
    if not 0 < len(cost.reason.strip()) <= REASON_LENGTH:
        raise InvalidRequestError("Say why.", param="reason")
    if cost.active_from is not None and cost.active_from < now:
        raise InvalidRequestError("A cost cannot begin in the past.", param="active_from")
