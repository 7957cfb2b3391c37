"""Publish prices."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

from django.db import transaction

from billing.errors import InvalidAmountError, PriceConflictError
from billing.models import PriceKind, PriceUnit, PriceVersion
from billing.money import check_currency
from billing.services.accounts import PLATFORM_CURRENCY, open_platform_accounts
from billing.types import PriceRow

PLATFORM_BOOK: Final = "platform"
OPERATOR_SOURCE: Final = "operator"


def add_price_version(
    *, row: PriceRow, active_from: datetime, now: datetime, created_by: str
) -> int:
    """Add a price in force from `active_from` on; holds that exist keep theirs.

    Returns:
        Id of the immutable row.

    Raises:
        InvalidAmountError: The amount, kind or unit cannot be a price.
        UnknownCurrencyError: The currency is not an ISO 4217 code.
    """
    version = _version(row, active_from=active_from, now=now, created_by=created_by)
    with transaction.atomic():
        open_platform_accounts(currency=row.currency)
        version.save(force_insert=True)
    return version.id


def sync_list_prices(*, rows: Sequence[PriceRow], now: datetime) -> int:
    """Publish a catalog's prices (list or cost); repeating it inserts nothing.

    A row is in force from midnight UTC of its source date, so a price that an operator set later
    than that stays in force.

    Returns:
        How many rows were new.

    Raises:
        PriceConflictError: An amount differs from what the same source published on that date.
        InvalidAmountError: An amount, kind or unit cannot be a price.
        UnknownCurrencyError: A currency is not an ISO 4217 code.
    """
    versions = [
        _version(
            row,
            active_from=datetime.combine(row.source_date, time.min, tzinfo=UTC),
            now=now,
            created_by="catalog",
        )
        for row in rows
    ]
    with transaction.atomic():
        for currency in sorted({row.currency for row in rows}):
            open_platform_accounts(currency=currency)
        known = {
            _key(version): _terms(version)
            for version in PriceVersion.objects.filter(source__in={row.source for row in rows})
        }
        for version in versions:
            terms = _terms(version)
            published = known.get(_key(version), terms)
            if published != terms:
                raise PriceConflictError(
                    f"{version.source} published {published[0]} {version.currency} for"
                    f" '{version.model_key}' on {version.source_date}, not {version.amount}:"
                    " a changed price needs a new source date."
                )
        new = [version for version in versions if _key(version) not in known]
        PriceVersion.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def set_price(  # noqa: PLR0913 - one argument per column of a price
    *,
    model_key: str,
    amount: Decimal,
    now: datetime,
    currency: str = PLATFORM_CURRENCY,
    size: str = "",
    quality: str = "",
    unit: str = PriceUnit.IMAGE.value,
    kind: str = PriceKind.LIST.value,
    route: str = "",
    price_book: str | None = None,
    input_amount: Decimal = Decimal(0),
    created_by: str = "",
    source: str = OPERATOR_SOURCE,
    active_from: datetime | None = None,
) -> int:
    """Set a price by hand, in force from now on or from a later instant.

    Without `price_book`, a list price in the platform's currency goes to the platform's book and
    one in another currency to the book named after it (`eur`), whose prices wallets in that
    currency are charged as they stand, without markup and exchange rate.

    Returns:
        Id of the immutable row.

    Raises:
        InvalidAmountError: The amount, kind or unit cannot be a price.
        UnknownCurrencyError: The currency is not an ISO 4217 code.
    """
    if price_book is None:
        in_platform_book = currency == PLATFORM_CURRENCY or kind != PriceKind.LIST
        price_book = PLATFORM_BOOK if in_platform_book else currency.lower()
    row = PriceRow(
        kind=kind,
        model_key=model_key,
        amount=amount,
        currency=currency,
        source=source,
        source_date=now.astimezone(UTC).date(),
        unit=unit,
        route=route,
        size=size,
        quality=quality,
        price_book=price_book,
        input_amount=input_amount,
    )
    return add_price_version(
        row=row, active_from=active_from or now, now=now, created_by=created_by
    )


def _version(
    row: PriceRow, *, active_from: datetime, now: datetime, created_by: str
) -> PriceVersion:
    check_currency(row.currency)
    if row.kind not in PriceKind.values or row.unit not in PriceUnit.values:
        raise InvalidAmountError(f"There are no prices of kind '{row.kind}' per '{row.unit}'.")
    if row.kind == PriceKind.LIST and (row.route or row.unit not in {"image", "megapixel"}):
        raise InvalidAmountError("A list price is per image or megapixel, whatever the route.")
    usable = row.amount.is_finite() and Decimal(0) <= row.amount < Decimal(10) ** 10
    if not usable or row.amount != round(row.amount, 10):
        raise InvalidAmountError("A price is a number with at most ten decimals.")
    if (row.base_amount or row.base_pixels) and row.unit != PriceUnit.MEGAPIXEL:
        raise InvalidAmountError("Only a price per megapixel has a base.")
    if not (row.input_amount.is_finite() and Decimal(0) <= row.input_amount < Decimal(10) ** 10):
        raise InvalidAmountError("A price of input images is zero or more.")
    if row.amount == 0 and row.kind == PriceKind.LIST:
        raise InvalidAmountError("A list price must be more than zero.")
    return PriceVersion(
        kind=row.kind,
        price_book=row.price_book,
        model_key=row.model_key,
        route=row.route,
        size=row.size,
        quality=row.quality,
        unit=row.unit,
        amount=row.amount,
        base_amount=row.base_amount,
        base_pixels=row.base_pixels,
        input_amount=row.input_amount,
        currency=row.currency,
        source=row.source,
        source_date=row.source_date,
        active_from=active_from,
        created_at=now,
        created_by=created_by,
    )


def _terms(version: PriceVersion) -> tuple[Decimal, Decimal, int, Decimal]:
    return version.amount, version.base_amount, version.base_pixels, version.input_amount


def _key(version: PriceVersion) -> tuple[object, ...]:
    return (
        version.kind,
        version.model_key,
        version.price_book,
        version.route,
        version.size,
        version.quality,
        version.unit,
        version.currency,
        version.source,
        version.active_from,
    )
