"""What is held in foreign currencies, what it was worth when it came about, and what it is worth.

Every entry balances in each currency. So in a foreign currency, what is held and owed (cash,
wallets, what is payable) is the opposite of all other accounts in it: `fx_clearing`, income and
expenses. The position is what is held less what is owed. What it was worth when it came about is
read from the other accounts: of `fx_clearing`, what the same entry moved in the reporting currency;
of the rest, the amount at the rate in force at the end of its day.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from django.db import connection

from billing.errors import FxRateStaleError
from billing.selectors.rates.force import RateInForce, rates_in_force

_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_UP)
_INSTANT: Final = timedelta(microseconds=1)
_NET: Final = "sum(CASE p.direction WHEN 'debit' THEN p.amount_micros ELSE -p.amount_micros END)"

_HELD: Final = f"""
SELECT a.currency, a.code, {_NET}
FROM billing_posting AS p
JOIN billing_account AS a ON a.id = p.account_id
JOIN billing_journalentry AS e ON e.id = p.entry_id
WHERE a.currency <> %(reporting)s AND e.effective_at < %(until)s
    AND a.kind IN ('asset', 'liability') AND a.code <> 'fx_clearing'
GROUP BY a.currency, a.code
ORDER BY a.currency, a.code
"""  # noqa: S608 - made of constants

_ORIGINS: Final = f"""
WITH reported AS (
    SELECT p.entry_id, {_NET} AS amount
    FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
    WHERE a.code = 'fx_clearing' AND a.currency = %(reporting)s
    GROUP BY p.entry_id
), moved AS (
    SELECT p.entry_id, a.currency, a.code = 'fx_clearing' AS is_clearing, {_NET} AS amount
    FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
    WHERE a.currency <> %(reporting)s
        AND (a.code = 'fx_clearing' OR a.kind NOT IN ('asset', 'liability'))
    GROUP BY p.entry_id, a.currency, a.code = 'fx_clearing'
)
SELECT moved.currency, (e.effective_at AT TIME ZONE 'UTC')::date,
    sum(reported.amount) FILTER (WHERE moved.is_clearing),
    sum(moved.amount) FILTER (WHERE NOT moved.is_clearing OR reported.amount IS NULL)
FROM moved
JOIN billing_journalentry AS e ON e.id = moved.entry_id
LEFT JOIN reported ON reported.entry_id = moved.entry_id
WHERE e.effective_at < %(until)s
GROUP BY 1, 2
ORDER BY 1, 2
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Position:
    """What is held less what is owed in one currency, at one instant.

    Attributes:
        currency: Of `balances` and `net_micros`.
        balances: By account code; what is held is positive, what is owed negative.
        net_micros: Their sum.
        origin_micros: What it was worth when it came about, in the reporting currency.
        rate: Closing: units of `currency` for one of the reporting currency.
        closing_micros: What it is worth at that rate, in the reporting currency.
    """

    currency: str
    balances: tuple[tuple[str, int], ...]
    net_micros: int
    origin_micros: int
    rate: RateInForce
    closing_micros: int

    @property
    def gain_micros(self) -> int:
        """Return what was won by exchange rates, in the reporting currency; a loss is negative."""
        return self.closing_micros - self.origin_micros


def fx_positions(*, reporting: str, until: datetime) -> list[Position]:
    """Return the position in each foreign currency at an instant, by facts before it.

    Reads the whole journal: for the close of a month, not for a page that is looked at often.

    Args:
        reporting: The currency of the platform's own books.
        until: The instant, exclusive; closing rates are those in force right before it.

    Raises:
        FxRateStaleError: A currency has no rate then, or a stale one; or none on a day on which it
            earned or cost something. One in which we only owe what we hold, like unmatched
            payments, needs none.
    """
    params: dict[str, str | datetime] = {"reporting": reporting, "until": until}
    with connection.cursor() as cursor:
        cursor.execute(_HELD, params)
        held = cursor.fetchall()
        cursor.execute(_ORIGINS, params)
        origins = cursor.fetchall()
    valued = {row[0] for row in origins}
    currencies = sorted(valued.union(row[0] for row in held))
    pairs = [(reporting, currency) for currency in currencies]
    rates = rates_in_force(pairs=pairs, at=until - _INSTANT)
    found = []
    for currency in currencies:
        rate = rates.get((reporting, currency))
        if rate is None or rate.is_stale:
            if currency not in valued:
                continue
            raise FxRateStaleError(f"There is no closing rate for {reporting}/{currency}.")
        balances = tuple((code, int(net)) for of, code, net in held if of == currency)
        net = sum(amount for _, amount in balances)
        origin = sum(
            int(reported or 0) - _value_of(reporting, currency, day, int(amount or 0))
            for of, day, reported, amount in origins
            if of == currency
        )
        closing = worth(net, rate=rate.rate)
        found.append(Position(currency, balances, net, origin, rate, closing))
    return found


def worth(amount_micros: int, *, rate: Decimal) -> int:
    """Return an amount at a rate of its currency for one unit of another, in micros of the other.

    Rounded half up, away from zero.
    """
    quotient = _EXACT.divide(Decimal(amount_micros), rate)
    return int(quotient.quantize(Decimal(1), context=_EXACT))


def _value_of(reporting: str, currency: str, day: date, amount_micros: int) -> int:
    if not amount_micros:
        return 0
    pair = (reporting, currency)
    end = datetime.combine(day, time.max, tzinfo=UTC)
    rate = rates_in_force(pairs=[pair], at=end).get(pair)
    if rate is None:
        raise FxRateStaleError(f"There is no rate for {reporting}/{currency} on {day}.")
    return worth(amount_micros, rate=rate.rate)
