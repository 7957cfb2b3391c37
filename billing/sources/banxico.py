"""The FIX rate of pesos for a dollar, by Banco de Mexico's SIE API.

Series SF43718: set at noon of Mexico City each banking day. `GET .../series/SF43718/datos/oportuno`
has the newest, `.../datos/<from>/<to>` a range; the header `Bmx-Token` is needed. The answer is
`{"bmx": {"series": [{"idSerie", "titulo", "datos": [...]}]}}` with one
`{"fecha": "20/11/2026", "dato": "18.3465"}` a day, `N/E` where there is no figure.
Source: banxico.org.mx/SieAPIRest, read 2026-11.
"""

import time
from collections.abc import Iterator
from datetime import date, datetime
from datetime import time as time_of_day
from typing import Final
from zoneinfo import ZoneInfo

from billing.sources.types import PublishedRate, SourceError, read_rate
from core.http.client import HttpClient
from core.http.errors import HttpError

NAME: Final = "banxico"
BASE: Final = "USD"
QUOTE: Final = "MXN"
SERIES: Final = "SF43718"
_NOON: Final = time_of_day(12, tzinfo=ZoneInfo("America/Mexico_City"))
_ABSENT: Final = "N/E"
_BODY_MAX_BYTES: Final = 1_000_000


def as_of(day: date) -> datetime:
    """Return the instant at which a day's rate is set."""
    return datetime.combine(day, _NOON)


def fetch(
    *, http: HttpClient, base_url: str, token: str, timeout_s: int, since: date, until: date
) -> list[PublishedRate]:
    """Get the rates of a range of days, both included, the oldest first.

    Args:
        http: Of this process.
        base_url: Up to the API's version.
        token: Of Banco de Mexico.
        timeout_s: By when the answer must have been read.
        since: The first day.
        until: The last day.

    Raises:
        SourceError: No answer, or none with rates.
    """
    url = f"{base_url}/series/{SERIES}/datos/{since:%Y-%m-%d}/{until:%Y-%m-%d}"
    headers = {"Bmx-Token": token, "Accept": "application/json"}
    try:
        deadline = time.monotonic() + timeout_s
        with http.open("GET", url, deadline=deadline, headers=headers) as answer:
            if not answer.is_success:
                raise SourceError(f"Banco de Mexico answered {answer.status}")
            return parse(answer.read_json(limit=_BODY_MAX_BYTES))
    except HttpError as error:
        raise SourceError(f"Banco de Mexico cannot be reached: {error}") from error


def parse(body: object) -> list[PublishedRate]:
    """Read an answer, the oldest day first; days without a figure are left out.

    Raises:
        SourceError: It has no series, or something in place of a rate.
    """
    match body:
        case {"bmx": {"series": [{"idSerie": "SF43718", **series}]}}:
            # Without any figure in the range there is no `datos`.
            rows = series.get("datos", [])
        case _:
            raise SourceError("Banco de Mexico's answer has no series of the FIX")
    if not isinstance(rows, list):
        raise SourceError("Banco de Mexico's answer has no figures")
    return sorted(_rates(rows), key=lambda one: one.as_of)


def _rates(rows: list[object]) -> Iterator[PublishedRate]:
    for row in rows:
        match row:
            case {"fecha": str(day), "dato": str(figure)}:
                if figure.strip() != _ABSENT:
                    yield PublishedRate(BASE, QUOTE, read_rate(figure), as_of(_day(day)))
            case _:
                raise SourceError("Banco de Mexico's answer has a figure without a day")


def _day(text: str) -> date:
    try:
        day, month, year = text.split("/")
        return date(int(year), int(month), int(day))
    except ValueError as error:
        raise SourceError(f"'{text[:20]}' is not a day of Banco de Mexico") from error
