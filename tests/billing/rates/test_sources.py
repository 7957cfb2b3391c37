"""What publishers say, read from their own formats."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing.sources import banxico, ecb
from billing.sources.calendars import age_days, is_open, oldest_fresh
from billing.sources.types import SourceError

# The files of 30 October 2026, shortened.
ECB_FILE = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
\t<gesmes:subject>Reference rates</gesmes:subject>
\t<gesmes:Sender>
\t\t<gesmes:name>European Central Bank</gesmes:name>
\t</gesmes:Sender>
\t<Cube>
\t\t<Cube time='2026-10-30'>
\t\t\t<Cube currency='USD' rate='1.1172'/>
\t\t\t<Cube currency='MXN' rate='21.1237'/></Cube>
\t\t<Cube time='2026-10-29'>
\t\t\t<Cube currency='USD' rate='1.1160'/></Cube></Cube>
</gesmes:Envelope>"""


def fix(*figures: tuple[str, str]) -> object:
    rows = [{"fecha": day, "dato": figure} for day, figure in figures]
    series = {"idSerie": "SF43718", "titulo": "FIX", "datos": rows}
    return {"bmx": {"series": [series]}}


def test_the_ecbs_file_is_read_oldest_day_first():
    rates = ecb.parse(ECB_FILE)

    assert [(one.base, one.quote, one.rate, one.as_of.date().day) for one in rates] == [
        ("EUR", "USD", Decimal("1.1160"), 29),
        ("EUR", "USD", Decimal("1.1172"), 30),
        ("EUR", "MXN", Decimal("21.1237"), 30),
    ]
    # Frankfurt's winter time.
    assert rates[-1].as_of.astimezone(UTC) == datetime(2026, 10, 30, 13, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        b"not XML <",
        ECB_FILE.replace(b"'1.1172'", b"'-1'"),
        ECB_FILE.replace(b"'1.1172'", b"'NaN'"),
        ECB_FILE.replace(b"2026-10-30", b"yesterday"),
        ECB_FILE.replace(b"<gesmes:Env", b'<!DOCTYPE x [<!ENTITY a "b">]><gesmes:Env'),
    ],
)
def test_what_is_no_file_of_rates_is_refused(body):
    with pytest.raises(SourceError):
        ecb.parse(body)


def test_the_fix_is_read_with_its_dates_and_gaps():
    rates = banxico.parse(
        fix(("20/11/2026", "18.3465"), ("16/11/2026", "N/E"), ("02/01/2026", "17"))
    )

    assert [(one.rate, one.as_of.date()) for one in rates] == [
        (Decimal(17), date(2026, 1, 2)),
        (Decimal("18.3465"), date(2026, 11, 20)),
    ]
    assert rates[1].as_of.astimezone(UTC).hour == 18
    assert banxico.parse({"bmx": {"series": [{"idSerie": "SF43718", "titulo": "FIX"}]}}) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"error": {"mensaje": "Token inv\u00e1lido"}},
        {"bmx": {"series": [{"idSerie": "SF1", "datos": []}]}},
        fix(("11/20/2026", "18")),
        fix(("20/11/2026", "0")),
        fix(("20/11/2026", "dieciocho")),
    ],
)
def test_what_is_no_fix_is_refused(body):
    with pytest.raises(SourceError):
        banxico.parse(body)


def test_the_shipped_history_is_the_ecbs_own():
    rates = ecb.shipped_history(span=timedelta(days=30))

    dollar = {one.as_of.date(): one.rate for one in rates if one.quote == "USD"}
    assert dollar[date(2026, 10, 30)] == Decimal("1.1172")
    assert max(dollar) - min(dollar) == timedelta(days=30)


@pytest.mark.parametrize(
    ("source", "day", "expected"),
    [
        ("ecb", date(2026, 4, 3), False),  # Good Friday
        ("ecb", date(2026, 4, 6), False),  # Easter Monday
        ("banxico", date(2026, 4, 6), True),
        ("banxico", date(2026, 4, 2), False),  # Maundy Thursday
        ("ecb", date(2026, 4, 2), True),
        ("ecb", date(2026, 12, 25), False),
        ("ecb", date(2026, 11, 21), False),  # a Saturday
        ("banxico", date(2026, 11, 16), False),  # the third Monday of November
        ("banxico", date(2026, 2, 2), False),
        ("banxico", date(2026, 2, 9), True),
        ("manual", date(2026, 12, 25), True),
    ],
)
def test_sources_rest_on_their_holidays(source, day, expected):
    assert is_open(source, day) is expected


def test_a_rate_does_not_age_while_its_source_rests():
    thursday = datetime(2026, 4, 2, 13, 15, tzinfo=UTC)
    tuesday = datetime(2026, 4, 7, 9, tzinfo=UTC)

    assert age_days("ecb", as_of=thursday, now=tuesday) == 1
    assert age_days("other", as_of=thursday, now=tuesday) == 5
    # One day before Tuesday's morning is Thursday's: Friday to Monday do not count.
    assert oldest_fresh("ecb", now=tuesday, days=1) == datetime(2026, 4, 2, 9, tzinfo=UTC)
    assert oldest_fresh("other", now=tuesday, days=1) == datetime(2026, 4, 6, 9, tzinfo=UTC)
