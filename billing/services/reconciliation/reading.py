"""Reading a provider's usage or invoice file.

Formats are told apart by their column names alone. OpenAI's export of costs has `start_time_iso`,
`line_item` ("gpt-image-1, image output"), `amount_value` and `amount_currency`, its export of
activity `model` and `num_model_requests` (the names are those of its Usage API,
developers.openai.com/api/reference, read 2026-11-21). fal names models `endpoint_id` and calls
`request_id` (fal.ai/docs, read 2026-11-21). Any other file names its columns by one of `NAMES`, or
whoever imports it says which column is which.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from billing.money import MAX_AMOUNT_MICROS, round_half_up_micro
from billing.services.periods.days import EARLIEST_DAY

MOST_BYTES: Final = 5 * 1024 * 1024
MOST_LINES: Final = 50_000
CURRENCY: Final = "USD"
MODEL_LENGTH: Final = 150
ID_LENGTH: Final = 200
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("date", "day", "usage_date", "start_time_iso", "start_time", "bucket_start",
             "timestamp", "created_at", "created", "time"),
    "model": ("model", "line_item", "endpoint_id", "endpoint", "model_id", "product", "sku"),
    "amount": ("amount", "amount_value", "amount_usd", "cost", "cost_usd", "total_cost", "total"),
    "count": ("quantity", "count", "num_model_requests", "num_requests", "requests", "num_images",
              "images"),
    "currency": ("currency", "amount_currency"),
    "id": ("request_id", "upstream_id", "id", "generation_id"),
}  # fmt: skip
"""What columns may be called; the first that is there is taken."""
NEEDED: Final = ("date", "model", "amount")
_WHOLE: Final = re.compile(r"[0-9]{1,9}(\.0+)?", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{9,11}", re.ASCII)


class Fault(StrEnum):
    """What can be wrong with a file, or with one of its lines."""

    COLUMN = "column"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    CELLS = "cells"
    DATE = "date"
    PERIOD = "period"
    MODEL = "model"
    AMOUNT = "amount"
    COUNT = "count"
    CURRENCY = "currency"


@dataclass(frozen=True, slots=True)
class Error:
    """A fault, at a line of the file (the heading is line 1), and the text that is to blame."""

    line: int
    fault: Fault
    text: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """One line: what a provider charged, in micros of USD."""

    number: int
    day: date
    model: str
    upstream_id: str
    count: int
    micros: int


@dataclass(slots=True)
class Sheet:
    """A file that was read: its charges, or what is wrong with it."""

    charges: list[Charge] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)


def read_file(
    text: str,
    *,
    columns: Mapping[str, str] | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Sheet:
    """Read a file; nothing is written.

    Args:
        text: CSV with a heading; separated by commas, semicolons or tabs.
        columns: What columns of `NAMES` are called in this file, where that is said.
        first: The first day that the file may be of,
        last: and the last.
    """
    heading, _, _ = text.partition("\n")
    separator = max((",", ";", "\t"), key=heading.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    sheet = Sheet()
    places = find_columns(next(rows, []), NAMES, NEEDED, columns or {}, sheet.errors)
    if sheet.errors:
        return sheet
    days = (first or date.min, last or date.max)
    try:
        _read_rows(rows, places, days, sheet)
    except csv.Error as error:
        sheet.errors.append(Error(rows.line_num, Fault.CELLS, str(error)[:80]))
    if not sheet.charges and not sheet.errors:
        sheet.errors.append(Error(1, Fault.EMPTY))
    return sheet


def _read_rows(
    rows: Iterable[list[str]], places: Mapping[str, int], days: tuple[date, date], sheet: Sheet
) -> None:
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(sheet.charges) >= MOST_LINES:
            sheet.errors.append(Error(number, Fault.TOO_LONG))
            return
        if len(row) <= max(places.values()):
            sheet.errors.append(Error(number, Fault.CELLS))
            continue
        cells = {name: row[place].strip() for name, place in places.items()}
        found = _charge(number, cells, days)
        if isinstance(found, Error):
            sheet.errors.append(found)
        else:
            sheet.charges.append(found)


def find_columns(
    heading: list[str],
    names: Mapping[str, tuple[str, ...]],
    needed: Iterable[str],
    columns: Mapping[str, str],
    errors: list[Error],
) -> dict[str, int]:
    """Return where each column is; what is missing becomes an error."""
    plain = [cell.strip().lstrip("\ufeff").casefold() for cell in heading]
    places = {}
    for name, usual in names.items():
        said = columns.get(name, "").strip().casefold()
        wanted = (said,) if said else usual
        place = next((plain.index(one) for one in wanted if one in plain), None)
        if place is not None:
            places[name] = place
        elif said or name in needed:
            errors.append(Error(1, Fault.COLUMN, said or name))
    return places


def _charge(number: int, cells: Mapping[str, str], days: tuple[date, date]) -> Charge | Error:
    # OpenAI's costs say of what a model was charged: "gpt-image-1, image output".
    model = cells["model"].split(", ", 1)[0]
    day, micros = read_day(cells["date"]), read_micros(cells["amount"])
    count, currency = cells.get("count") or "1", cells.get("currency", "")
    if day is None:
        return Error(number, Fault.DATE, cells["date"])
    if micros is None:
        return Error(number, Fault.AMOUNT, cells["amount"])
    faults = (
        (Fault.PERIOD, cells["date"], days[0] <= day <= days[1]),
        (Fault.MODEL, cells["model"], 0 < len(model) <= MODEL_LENGTH and "\x00" not in model),
        (Fault.CURRENCY, currency, currency.upper() in {CURRENCY, ""}),
        (Fault.COUNT, count, _WHOLE.fullmatch(count) is not None),
    )
    for fault, text, is_right in faults:
        if not is_right:
            return Error(number, fault, text)
    upstream_id = cells.get("id", "").replace("\x00", "")[:ID_LENGTH]
    return Charge(number, day, model, upstream_id, int(Decimal(count)), micros)


def read_day(text: str) -> date | None:
    """Return the day in UTC of a date, an instant or seconds since 1970; None before 1999."""
    try:
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text), UTC).date()
        at = datetime.fromisoformat(text)
        day = at.date() if at.tzinfo is None else at.astimezone(UTC).date()
    except (ValueError, OverflowError):
        return None
    return day if day >= EARLIEST_DAY else None


def read_micros(text: str) -> int | None:
    """Return an amount in micros, rounded half up; None if it is none."""
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        return None
    if not amount.is_finite() or abs(amount) * 1_000_000 > MAX_AMOUNT_MICROS:
        return None
    return round_half_up_micro(amount)
