"""Rates of taxes, set by finance."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from billing.errors import InvalidAmountError
from billing.models import TaxRate
from billing.selectors.taxes.terms import find_rate
from billing.services.staff import require_finance
from core.countries import COUNTRIES
from orgs.errors import InvalidInputError
from orgs.services.audit import Action, Actor, Kind, Target, record

_NAME_LENGTH: Final = 32
_LABEL_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class NewTaxRate:
    """A country's tax: `rate` is a fraction, 0 ends it; from now on unless told."""

    country: str
    name: str
    rate: Decimal
    active_from: datetime | None = None


def set_tax_rate(*, terms: NewTaxRate, actor: Actor, now: datetime) -> TaxRate:
    """Add a rate and log it; payments that exist keep theirs.

    One that begins in the past holds for bank transfers that came since and are not recorded yet.

    Raises:
        PermissionDeniedError: The actor is neither of finance nor a command.
        InvalidInputError: The country is no code of ISO 3166, or the tax has no name.
        InvalidAmountError: The rate is negative, 1 or more, or too precise.
    """
    if actor.kind != Kind.SYSTEM:
        require_finance(actor)
    country = terms.country.strip().upper()
    if country not in COUNTRIES:
        raise InvalidInputError("Give the country as two letters (ISO 3166).", param="country")
    name = " ".join(terms.name.split())
    if not 0 < len(name) <= _NAME_LENGTH:
        raise InvalidInputError("Name the tax, in at most 32 letters.", param="name")
    usable = terms.rate.is_finite() and Decimal(0) <= terms.rate < Decimal(1)
    if not usable or terms.rate != round(terms.rate, 6):
        raise InvalidAmountError("A tax is from 0 to below 100 percent.", param="rate")
    begins = terms.active_from or now
    with transaction.atomic():
        before = find_rate(country, at=begins)
        row = TaxRate.objects.create(
            country=country,
            name=name,
            rate=terms.rate,
            active_from=begins,
            created_at=now,
            created_by=actor.label[:_LABEL_LENGTH],
        )
        record(
            action=Action.TAX_RATE_SET,
            actor=actor,
            organization_id=None,
            target=Target("tax_rate", country, f"{country} {name}"),
            before=_written(before),
            after=_written(row),
        )
    return row


def _written(row: TaxRate | None) -> dict[str, object] | None:
    if row is None:
        return None
    return {"name": row.name, "rate": f"{row.rate.normalize():f}", "active_from": row.active_from}
