"""Changing markups: the platform's, a model's, an organization's, from an instant on."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.selectors.pricebook import markup_in_force
from billing.services.markups import set_markup
from gateway.catalog.registry import catalog
from gateway.errors import InvalidRequestError, ModelNotFoundError
from gateway.services.pricebook.losses import find_markup_losses
from gateway.services.pricebook.staff import require_pricing
from orgs.errors import OrganizationNotFoundError
from orgs.models import lock_organization
from orgs.services.audit import Action, Actor, Target, record

REASON_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class NewMarkup:
    """What is asked for.

    Attributes:
        rate: A fraction: 0.05 is five percent; None takes an organization's or a model's own away.
        reason: For the log.
        model_id: Any public id of a model; empty is all models.
        organization_id: Whose; None is everybody's.
        active_from: From when on it holds; None is now.
    """

    rate: Decimal | None
    reason: str
    model_id: str = ""
    organization_id: UUID | None = None
    active_from: datetime | None = None


def change_markup(*, markup: NewMarkup, allow_loss: bool, actor: Actor, now: datetime) -> int:
    """Set a markup from an instant on, and log it; holds and quotes that exist keep theirs.

    Returns:
        Id of the immutable row.

    Raises:
        PermissionDeniedError: The actor neither runs the platform nor is of finance.
        ModelNotFoundError: The catalog has no such model.
        OrganizationNotFoundError: There is none.
        InvalidAmountError: The rate cannot be a markup.
        InvalidRequestError: No reason, an instant in the past, or images would sell at a loss
            (`details["losses"]`) and `allow_loss` is False; nothing is changed then.
    """
    require_pricing(actor)
    _check(markup, now)
    model_key = _key_of(markup.model_id)
    starts_at = markup.active_from or now
    losses = _losses(markup, model_key, starts_at)
    if losses and not allow_loss:
        raise InvalidRequestError(
            "With this markup images would sell at a loss: " + "; ".join(losses[:5]),
            param="rate",
            details={"losses": losses},
        )
    with transaction.atomic():
        target = _target(markup, model_key)
        before = markup_in_force(
            organization_id=markup.organization_id, model_key=model_key, now=starts_at
        )
        row_id = set_markup(
            rate=markup.rate,
            now=now,
            organization_id=markup.organization_id,
            model_key=model_key,
            created_by=actor.label,
            active_from=starts_at,
        )
        is_own = markup.organization_id is not None
        record(
            action=Action.ORGANIZATION_MARKUP_CHANGED if is_own else Action.MARKUP_CHANGED,
            actor=actor,
            organization_id=markup.organization_id,
            target=target,
            before={"markup": None if before is None else f"{before:f}"},
            after={
                "markup": None if markup.rate is None else f"{markup.rate:f}",
                "model": model_key or None,
                "active_from": starts_at,
                "reason": markup.reason.strip(),
                "losses": losses,
                "allow_loss": allow_loss,
            },
        )
    return row_id


def _losses(markup: NewMarkup, model_key: str, at: datetime) -> list[str]:
    """Return what would sell at a loss; without a rate the next one counts, looked at before."""
    if markup.rate is None:
        return []
    return find_markup_losses(
        markup=markup.rate,
        now=at,
        model_key=model_key,
        is_own=markup.organization_id is not None,
    )


def _check(markup: NewMarkup, now: datetime) -> None:
    if not 0 < len(markup.reason.strip()) <= REASON_LENGTH:
        raise InvalidRequestError("Say why.", param="reason")
    if markup.active_from is not None and markup.active_from < now:
        raise InvalidRequestError("A markup cannot begin in the past.", param="active_from")


def _key_of(model_id: str) -> str:
    if not model_id:
        return ""
    model = catalog().find(model_id)
    if model is None:
        raise ModelNotFoundError(f"The model '{model_id}' does not exist.", param="model")
    return model.key


def _target(markup: NewMarkup, model_key: str) -> Target:
    if markup.organization_id is None:
        return Target("markup", model_key or "platform", model_key)
    organization = lock_organization(markup.organization_id)
    if organization is None:
        raise OrganizationNotFoundError(f"There is no organization {markup.organization_id}.")
    return Target("organization", organization.id, organization.name)
