"""Price lists as CSV files: what stands in each line, and what is wrong with it."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from billing.currencies import MINOR_DIGITS
from billing.types import PriceRow, PriceView
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size
from gateway.catalog.types import Model
from gateway.services.pricebook.losses import book_of

COLUMNS: Final = (
    *("model", "size", "quality", "currency", "amount", "input_amount"),
    *("unit", "base_amount", "base_pixels", "active_from", "source"),
)
REQUIRED: Final = ("model", "currency", "amount", "source")
INFORMATION: Final = (
    *("book", "version", "source_date", "created_by"),
    *("markup", "sale", "cost", "gain"),
)
"""Columns of an exported book that an import passes over."""
MOST_ROWS: Final = 2000
SOURCE_LENGTH: Final = 255
IMAGE: Final = "image"
MEGAPIXEL: Final = "megapixel"
Place = tuple[str, str, str, str, datetime | None]
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,10})?", re.ASCII)
_INTEGER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class Fault(StrEnum):
    """What is wrong with a cell of a file, or with the file."""

    MISSING_COLUMN = "missing_column"
    UNKNOWN_COLUMN = "unknown_column"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    CELLS = "cells"
    MODEL = "model"
    SIZE = "size"
    QUALITY = "quality"
    CURRENCY = "currency"
    NUMBER = "number"
    ZERO = "zero"
    UNIT = "unit"
    BASE = "base"
    TIME = "time"
    PAST = "past"
    SOURCE = "source"
    TWICE = "twice"


@dataclass(frozen=True, slots=True)
class SheetError:
    """A fault with its line, from 1, and its column; line 1 is the heading."""

    line: int
    column: str
    fault: Fault
    value: str


@dataclass(frozen=True, slots=True)
class SheetPrice:
    """A line: a list price per cell. `active_from` None is whenever it is imported."""

    line: int
    model_id: str
    row: PriceRow
    active_from: datetime | None

    def begins(self, now: datetime) -> datetime:
        """Return from when on it holds if it is imported now."""
        return self.active_from or now

    def view(self, now: datetime) -> PriceView:
        """Return it as if it were in force."""
        row = self.row
        return PriceView(
            id=0,
            kind=row.kind,
            price_book=row.price_book,
            model_key=row.model_key,
            route="",
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
            active_from=self.begins(now),
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file: its prices, and everything that is wrong with it."""

    prices: Sequence[SheetPrice]
    errors: Sequence[SheetError]


class _FaultyError(Exception):
    def __init__(self, column: str, fault: Fault, value: str = "") -> None:
        self.column, self.fault, self.value = column, fault, value


def read_sheet(text: str, *, now: datetime) -> Sheet:
    """Read a file; fields are separated by commas or semicolons, numbers have a point.

    Args:
        text: The file.
        now: Prices begin now or later.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    heading = lines[0] if lines else ""
    delimiter = ";" if ";" in heading and "," not in heading else ","
    names = [name.strip().lower() for name in heading.split(delimiter)]
    if faults := list(_heading_faults(names)):
        return Sheet((), faults)
    prices: list[SheetPrice] = []
    errors: list[SheetError] = []
    seen: set[Place] = set()
    reader = csv.reader(io.StringIO("".join(lines)), delimiter=delimiter)
    next(reader)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            price = _line(reader.line_num, names, cells, seen, now)
        except _FaultyError as one:
            errors.append(SheetError(reader.line_num, one.column, one.fault, one.value[:80]))
        else:
            prices.append(price)
    if not prices and not errors:
        errors.append(SheetError(1, "", Fault.EMPTY, ""))
    if len(prices) > MOST_ROWS:
        errors.append(SheetError(1, "", Fault.TOO_LONG, str(len(prices))))
    return Sheet(prices, errors)


def _heading_faults(names: Sequence[str]) -> Iterator[SheetError]:
    for name in REQUIRED:
        if name not in names:
            yield SheetError(1, name, Fault.MISSING_COLUMN, name)
    for name in names:
        if name not in {*COLUMNS, *INFORMATION} or names.count(name) > 1:
            yield SheetError(1, name[:80], Fault.UNKNOWN_COLUMN, name[:80])


def _line(
    line: int, names: Sequence[str], cells: Sequence[str], seen: set[Place], now: datetime
) -> SheetPrice:
    if len(cells) > len(names):
        raise _FaultyError("", Fault.CELLS)
    filled = [cell.strip() for cell in cells] + [""] * (len(names) - len(cells))
    price = _price(line, dict(zip(names, filled, strict=True)), now)
    row = price.row
    place = (row.model_key, row.size, row.quality, row.currency, price.active_from)
    if place in seen:
        raise _FaultyError("model", Fault.TWICE, price.model_id)
    seen.add(place)
    return price


def _price(line: int, cells: Mapping[str, str], now: datetime) -> SheetPrice:
    model = catalog().find(cells["model"])
    if model is None:
        raise _FaultyError("model", Fault.MODEL, cells["model"])
    size, quality = _cell(model, cells)
    currency = cells["currency"].upper()
    if currency not in MINOR_DIGITS:
        raise _FaultyError("currency", Fault.CURRENCY, currency)
    amount = _number(cells, "amount")
    if amount == 0:
        raise _FaultyError("amount", Fault.ZERO, cells["amount"])
    unit = cells.get("unit", "") or IMAGE
    if unit not in {IMAGE, MEGAPIXEL}:
        raise _FaultyError("unit", Fault.UNIT, unit)
    base_amount, base_pixels = _base(cells, unit)
    source = cells["source"]
    if not source or len(source) > SOURCE_LENGTH:
        raise _FaultyError("source", Fault.SOURCE, source)
    row = PriceRow(
        kind="list",
        model_key=model.key,
        amount=amount,
        currency=currency,
        source=source,
        source_date=now.astimezone(UTC).date(),
        unit=unit,
        size=size,
        quality=quality,
        price_book=book_of(currency).name,
        base_amount=base_amount,
        base_pixels=base_pixels,
        input_amount=_number(cells, "input_amount"),
    )
    return SheetPrice(line, model.id, row, _begins(cells.get("active_from", ""), now))


def _cell(model: Model, cells: Mapping[str, str]) -> tuple[str, str]:
    size, quality = cells.get("size", "").lower(), cells.get("quality", "").lower()
    parsed = Size.parse(size)
    if size and (parsed is None or not model.sizes.allows(parsed)):
        raise _FaultyError("size", Fault.SIZE, size)
    if quality and quality not in model.qualities:
        raise _FaultyError("quality", Fault.QUALITY, quality)
    return size, quality


def _number(cells: Mapping[str, str], column: str) -> Decimal:
    text = cells.get(column, "") or ("" if column in REQUIRED else "0")
    if not _NUMBER.fullmatch(text):
        raise _FaultyError(column, Fault.NUMBER, text)
    return Decimal(text)


def _base(cells: Mapping[str, str], unit: str) -> tuple[Decimal, int]:
    amount, pixels = _number(cells, "base_amount"), cells.get("base_pixels", "") or "0"
    if not _INTEGER.fullmatch(pixels):
        raise _FaultyError("base_pixels", Fault.NUMBER, pixels)
    has_base = amount > 0 or int(pixels) > 0
    if has_base and (unit != MEGAPIXEL or amount == 0):
        raise _FaultyError("base_amount", Fault.BASE, cells.get("base_amount", ""))
    return amount, int(pixels)


def _begins(text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _FaultyError("active_from", Fault.TIME, text) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment < now:
        raise _FaultyError("active_from", Fault.PAST, text)
    return moment
