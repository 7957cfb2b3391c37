"""Who publishes exchange rates: the European Central Bank's files and Banco de Mexico's SIE API.

The figures are round and made up. A dollar is 20 pesos every day; the others waver around theirs.
`POST /<name>/_rates` with `{"2026-11-20": {"USD": "1.3"}}` changes what a day says (`null`: no such
day), `DELETE` undoes that.
"""

import time
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from sandbox.faults import Faults
from sandbox.server import Request, Response, Studio, json_response

_DAYS: Final = 90
_SATURDAY: Final = 5
_STEADY: Final = {"USD": Decimal("1.0870"), "MXN": Decimal("21.7400")}
_EURO: Final = {
    **_STEADY,
    "AUD": Decimal("1.6500"), "BRL": Decimal("6.1000"), "CAD": Decimal("1.5200"),
    "CHF": Decimal("0.9400"), "CNY": Decimal("7.8000"), "CZK": Decimal("24.500"),
    "DKK": Decimal("7.4600"), "GBP": Decimal("0.8500"), "HKD": Decimal("8.4500"),
    "HUF": Decimal("400.00"), "IDR": Decimal(17500), "ILS": Decimal("4.0000"),
    "INR": Decimal("93.500"), "ISK": Decimal("146.00"), "JPY": Decimal("163.00"),
    "KRW": Decimal("1500.0"), "MYR": Decimal("4.8000"), "NOK": Decimal("11.700"),
    "NZD": Decimal("1.8300"), "PHP": Decimal("63.000"), "PLN": Decimal("4.2500"),
    "RON": Decimal("4.9800"), "SEK": Decimal("11.300"), "SGD": Decimal("1.4500"),
    "THB": Decimal("37.000"), "TRY": Decimal("45.000"), "ZAR": Decimal("20.000"),
}  # fmt: skip
_FIX: Final = Decimal("20.0000")
_SERIES: Final = "SF43718"
_ENVELOPE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<gesmes:Sender>
		<gesmes:name>European Central Bank</gesmes:name>
	</gesmes:Sender>
	<Cube>
{days}	</Cube>
</gesmes:Envelope>
"""


class _Publisher:
    """What both have: changed days, forced failures, and the days until now."""

    name = ""

    def __init__(self, faults: Faults, _studio: Studio) -> None:
        self._faults = faults
        self._changed: dict[str, Mapping[str, str] | None] = {}

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        request.entry.operation = "rates"
        if request.path == "/_rates":
            return self._control(request)
        status = self._faults.plan(self.name, "").find("status")
        if status is not None:
            return Response(int(status), b"Service unavailable", "text/plain")
        return self._answer(request)

    def _control(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._changed.clear()
        else:
            self._changed.update(request.json())
        return json_response({"changed": sorted(self._changed)})

    def _answer(self, request: Request) -> Response:
        raise NotImplementedError

    def _days(self) -> list[date]:
        """Return the days that have rates, the newest first; those that were set beside them."""
        today = datetime.fromtimestamp(time.time(), UTC).date()
        usual = [today - timedelta(days=back) for back in range(1, _DAYS)]
        days = {day for day in usual if day.weekday() < _SATURDAY}
        days |= {date.fromisoformat(text) for text in self._changed}
        return sorted(
            (day for day in days if self._changed.get(day.isoformat(), {}) is not None),
            reverse=True,
        )


class Ecb(_Publisher):
    """`eurofxref-daily.xml` and `eurofxref-hist-90d.xml`."""

    name = "ecb"

    def _answer(self, request: Request) -> Response:
        days = self._days()
        match request.path:
            case "/eurofxref-daily.xml":
                shown = days[:1]
            case "/eurofxref-hist-90d.xml":
                shown = days
            case _:
                return Response(404, b"Not Found", "text/plain")
        cubes = "".join(self._cube(day) for day in shown)
        return Response(200, _ENVELOPE.format(days=cubes).encode(), "text/xml")

    def _cube(self, day: date) -> str:
        rates = {currency: str(rate) for currency, rate in _wavering(day)}
        rates |= self._changed.get(day.isoformat()) or {}
        lines = "".join(
            f"\t\t\t<Cube currency='{currency}' rate='{rate}'/>\n"
            for currency, rate in rates.items()
        )
        return f"\t\t<Cube time='{day.isoformat()}'>\n{lines}\t\t</Cube>\n"


class Banxico(_Publisher):
    """`/series/SF43718/datos/oportuno` and `/series/SF43718/datos/<from>/<to>`."""

    name = "banxico"

    def _answer(self, request: Request) -> Response:
        token = request.headers.get("bmx-token", "")
        if not token or "bad" in token:
            return _refused(401, "Token inválido", "El token enviado no es válido o ha expirado.")
        match request.path.strip("/").split("/"):
            case ["series", series, "datos", *asked] if series == _SERIES:
                days = self._asked(asked)
            case _:
                return _refused(404, "Serie no encontrada", "No existe la serie solicitada.")
        if days is None:
            return _refused(400, "Fecha inválida", "El formato de la fecha es aaaa-mm-dd.")
        figures = [{"fecha": f"{day:%d/%m/%Y}", "dato": self._figure(day)} for day in days]
        title = "Tipo de cambio Pesos por dólar E.U.A. Fecha de determinación (FIX)"
        found: dict[str, object] = {"idSerie": _SERIES, "titulo": title}
        return json_response({"bmx": {"series": [found | ({"datos": figures} if figures else {})]}})

    def _asked(self, asked: list[str]) -> list[date] | None:
        days = sorted(self._days())
        if asked == ["oportuno"]:
            return days[-1:]
        try:
            since, until = (date.fromisoformat(text) for text in asked)
        except ValueError:
            return None
        return [day for day in days if since <= day <= until]

    def _figure(self, day: date) -> str:
        """Return the FIX; N/E on the third Monday of November, a holiday."""
        changed = (self._changed.get(day.isoformat()) or {}).get("MXN")
        is_holiday = day.month == 11 and day.weekday() == 0 and 15 <= day.day <= 21  # noqa: PLR2004 - the rule of a holiday
        return changed or ("N/E" if is_holiday else str(_FIX))


def _wavering(day: date) -> Iterator[tuple[str, Decimal]]:
    for currency, rate in _EURO.items():
        if currency in _STEADY:
            yield currency, rate
            continue
        step = zlib.crc32(f"{currency}{day}".encode()) % 201 - 100
        yield currency, (rate * (1 + Decimal(step) / 10_000)).quantize(rate)


def _refused(status: int, message: str, detail: str) -> Response:
    return json_response({"error": {"mensaje": message, "detalle": detail}}, status=status)
