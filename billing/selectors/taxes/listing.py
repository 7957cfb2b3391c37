"""Rates of taxes, and organizations that are not taxed by them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import OuterRef, Subquery

from billing.models import TaxProfile, TaxRate, TaxTreatment


@dataclass(frozen=True, slots=True)
class RateView:
    """A rate of a country; `state` is `in_force`, `later` or `past`."""

    country: str
    name: str
    rate: Decimal
    active_from: datetime
    created_at: datetime
    created_by: str
    state: str


@dataclass(frozen=True, slots=True)
class TreatedView:
    """An organization that finance treats otherwise than by its country's rate."""

    organization_id: UUID
    organization_name: str
    country: str
    tax_id: str
    treatment: str
    reason: str
    since: datetime
    created_by: str


def list_tax_rates(*, now: datetime) -> list[RateView]:
    """Return every rate, by country, the latest to begin first. One query; a few for a country."""
    found, in_force = [], set()
    for row in TaxRate.objects.order_by("country", "-active_from", "-id"):
        state = "later"
        if row.active_from <= now:
            state = "past" if row.country in in_force else "in_force"
            in_force.add(row.country)
        found.append(
            RateView(
                row.country,
                row.name,
                row.rate,
                row.active_from,
                row.created_at,
                row.created_by,
                state,
            )
        )
    return found


def list_treated(*, limit: int) -> list[TreatedView]:
    """Return organizations whose treatment is not the standard one, the latest first. One query."""
    newest = TaxProfile.objects.filter(organization=OuterRef("organization")).order_by("-id")
    rows = TaxProfile.objects.filter(id=Subquery(newest.values("id")[:1]))
    rows = rows.exclude(treatment=TaxTreatment.STANDARD).select_related("organization")
    return [
        TreatedView(
            row.organization_id,
            row.organization.name,
            row.organization.billing_country,
            row.organization.tax_id,
            str(row.treatment),
            row.reason,
            row.created_at,
            row.created_by,
        )
        for row in rows.order_by("-id")[:limit]
    ]


def list_profiles(*, organization_id: UUID) -> list[TaxProfile]:
    """Return what finance has said of an organization, the latest first. One query."""
    return list(TaxProfile.objects.filter(organization_id=organization_id).order_by("-id"))
