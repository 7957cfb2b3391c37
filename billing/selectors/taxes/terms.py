"""The terms by which money that an organization adds is taxed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from billing.models import TaxBasis, TaxProfile, TaxRate, TaxTreatment
from orgs.models import Organization

_NONE: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class TaxTerms:
    """How much tax is added, and why.

    Attributes:
        basis: One of `TaxBasis`; every other than `standard` has rate 0.
        country: Of the billing profile; empty where it names none.
        name: What the tax is called there.
        rate: A fraction.
        reason: Of an exemption.
    """

    basis: str
    country: str
    name: str = ""
    rate: Decimal = _NONE
    reason: str = ""


def find_terms(organization: Organization, *, at: datetime) -> TaxTerms:
    """Return the terms of an organization as it is; of an instant is the country's rate alone.

    A reverse charge needs a tax id: without one the country's rate holds. Two queries at most.
    """
    country = organization.billing_country
    profile = find_profile(organization)
    treatment = TaxTreatment.STANDARD if profile is None else TaxTreatment(profile.treatment)
    if profile is not None and treatment == TaxTreatment.EXEMPT:
        return TaxTerms(TaxBasis.EXEMPT.value, country, reason=profile.reason)
    if not country:
        return TaxTerms(TaxBasis.NO_COUNTRY.value, "")
    if treatment == TaxTreatment.REVERSE_CHARGE and organization.tax_id:
        return TaxTerms(TaxBasis.REVERSE_CHARGE.value, country)
    rate = find_rate(country, at=at)
    if rate is None or not rate.rate:
        return TaxTerms(TaxBasis.NO_RATE.value, country)
    return TaxTerms(TaxBasis.STANDARD.value, country, rate.name, rate.rate)


def find_profile(organization: Organization) -> TaxProfile | None:
    """Return what finance said last of an organization."""
    return TaxProfile.objects.filter(organization=organization).order_by("-id").first()


def find_rate(country: str, *, at: datetime) -> TaxRate | None:
    """Return the rate of a country that holds at an instant: the last that began."""
    rows = TaxRate.objects.filter(country=country, active_from__lte=at)
    return rows.order_by("-active_from", "-id").first()
