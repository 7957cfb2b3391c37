"""Markups on list prices."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.errors import InvalidAmountError
from billing.models import Markup, MarkupScope


def set_markup(
    *,
    rate: Decimal,
    now: datetime,
    organization_id: UUID | None = None,
    model_key: str = "",
    created_by: str = "",
) -> int:
    """Add a markup in force from now on; holds that exist keep theirs.

    Precedence: an organization's for a model, an organization's, a model's, the platform's.

    Args:
        rate: A fraction with at most six decimals: 0.05 is five percent. A discount is negative.
        now: From when it holds.
        organization_id: Whose, or None for everybody.
        model_key: Which model, or empty for all.
        created_by: Who decided it.

    Raises:
        InvalidAmountError: The rate is -1 or less, 1000 or more, or too precise.
    """
    usable = rate.is_finite() and Decimal(-1) < rate < Decimal(1000)
    if not usable or rate != round(rate, 6):
        raise InvalidAmountError("A markup is a fraction above -1 with at most six decimals.")
    if organization_id is not None:
        scope = MarkupScope.ORGANIZATION
    else:
        scope = MarkupScope.MODEL if model_key else MarkupScope.PLATFORM
    return Markup.objects.create(
        scope=scope.value,
        organization_id=organization_id,
        model_key=model_key,
        rate=rate,
        active_from=now,
        created_at=now,
        created_by=created_by,
    ).id
