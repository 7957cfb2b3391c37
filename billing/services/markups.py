"""Markups on list prices."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.errors import InvalidAmountError
from billing.models import Markup, MarkupScope
from billing.selectors.markups import organization_markup
from orgs.errors import OrganizationNotFoundError
from orgs.models import lock_organization
from orgs.services.audit import Action, Actor, Target, record, require_platform


def set_markup(
    *,
    rate: Decimal | None,
    now: datetime,
    organization_id: UUID | None = None,
    model_key: str = "",
    created_by: str = "",
    active_from: datetime | None = None,
) -> int:
    """Add a markup in force from now or a later instant on; holds that exist keep theirs.

    Precedence: an organization's for a model, an organization's, a model's, the platform's.

    Args:
        rate: A fraction with at most six decimals: 0.05 is five percent. A discount is negative.
            None takes away what an organization or a model has of its own.
        now: From when it holds, unless `active_from` says otherwise.
        organization_id: Whose, or None for everybody.
        model_key: Which model, or empty for all.
        created_by: Who decided it.
        active_from: From when on it holds; None is now.

    Raises:
        InvalidAmountError: The rate is -1 or less, 1000 or more, or too precise; or the platform's
            is to be taken away.
    """
    _check(rate, is_platform=organization_id is None and not model_key)
    if organization_id is not None:
        scope = MarkupScope.ORGANIZATION
    else:
        scope = MarkupScope.MODEL if model_key else MarkupScope.PLATFORM
    return Markup.objects.create(
        scope=scope.value,
        organization_id=organization_id,
        model_key=model_key,
        rate=rate,
        active_from=active_from or now,
        created_at=now,
        created_by=created_by,
    ).id


def _check(rate: Decimal | None, *, is_platform: bool) -> None:
    if rate is None:
        if is_platform:
            raise InvalidAmountError("The platform always has a markup, if only of zero.")
        return
    usable = rate.is_finite() and Decimal(-1) < rate < Decimal(1000)
    if not usable or rate != round(rate, 6):
        raise InvalidAmountError("A markup is a fraction above -1 with at most six decimals.")


def change_organization_markup(
    *, organization_id: UUID, rate: Decimal | None, actor: Actor, now: datetime
) -> None:
    """Set what an organization pays beyond list prices, and log it. Its quotes keep their price.

    Args:
        organization_id: Whose.
        rate: As of `set_markup`; it wins over those of models and of the platform, which apply
            again without it.
        actor: Of the platform.
        now: From when it holds.

    Raises:
        PermissionDeniedError: The actor is not of the platform.
        OrganizationNotFoundError: There is none.
        InvalidAmountError: As of `set_markup`.
    """
    require_platform(actor)
    with transaction.atomic():
        organization = lock_organization(organization_id)
        if organization is None:
            raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
        before = organization_markup(organization_id=organization_id, now=now)
        if before == rate:
            return
        set_markup(rate=rate, now=now, organization_id=organization_id, created_by=actor.label)
        record(
            action=Action.ORGANIZATION_MARKUP_CHANGED,
            actor=actor,
            organization_id=organization_id,
            target=Target("organization", organization_id, organization.name),
            before={"markup": None if before is None else str(before)},
            after={"markup": None if rate is None else str(rate)},
        )
