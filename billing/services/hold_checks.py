"""Invariants of holds, their captures and budgets."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q, Sum

from billing.digests import hold_digest
from billing.models import AccountCode, Direction, EntryKind, Hold, HoldStatus, Posting
from billing.money import image_list_amount, unit_price_micros
from billing.types import Finding

OVERDUE_AFTER: Final = timedelta(seconds=60)
_PAGE: Final = 2000
_HOLDS: Final = "billing_hold"

_CAPTURES_WITHOUT_HOLD: Final = """
SELECT e.id, e.reference
FROM billing_journalentry AS e
WHERE e.kind = 'capture'
    AND NOT EXISTS (
        SELECT FROM billing_hold AS h
        WHERE h.reference = e.reference AND h.status = 'captured'
            AND e.idempotency_key = 'generation:' || h.reference
    )
    AND (%(organization_id)s::uuid IS NULL OR EXISTS (
        SELECT FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
        WHERE p.entry_id = e.id AND a.organization_id = %(organization_id)s
    ))
ORDER BY e.id
"""

_BUDGETS: Final = """
SELECT coalesce(p.id::text, 'budget ' || coalesce(s.budget_id::text, 'missing')),
    coalesce(p.period, s.period), coalesce(p.held_micros, 0), coalesce(s.held, 0),
    coalesce(p.captured_micros, 0), coalesce(s.captured, 0)
FROM (
    SELECT p.id, p.budget_id, p.period, p.held_micros, p.captured_micros
    FROM billing_budgetperiod AS p JOIN billing_budget AS b ON b.id = p.budget_id
    WHERE %(organization_id)s::uuid IS NULL OR b.organization_id = %(organization_id)s
) AS p
FULL JOIN (
    SELECT b.id AS budget_id, h.budget_period AS period, sum(h.captured_micros) AS captured,
        sum(CASE h.status WHEN 'authorized' THEN h.amount_micros ELSE 0 END) AS held
    FROM billing_hold AS h
    LEFT JOIN billing_budget AS b ON b.organization_id = h.organization_id
        AND (b.api_key_id IS NULL OR b.api_key_id = h.api_key_id)
    WHERE %(organization_id)s::uuid IS NULL OR h.organization_id = %(organization_id)s
    GROUP BY b.id, h.budget_period
) AS s ON s.budget_id = p.budget_id AND s.period = p.period
WHERE coalesce(p.held_micros, 0) <> coalesce(s.held, 0)
    OR coalesce(p.captured_micros, 0) <> coalesce(s.captured, 0)
ORDER BY 1
"""


class _Booked(NamedTuple):
    amount_micros: int
    promo_micros: int
    lines: int
    spread_micros: int


_NOTHING: Final = _Booked(0, 0, 0, 0)


def check_holds(*, organization_id: UUID | None, now: datetime) -> Iterator[Finding]:
    """Yield holds that were changed, mispriced, unlike their capture, or open too long."""
    holds = Hold.objects.select_related(
        "price_version", "markup_version", "fx_rate", "spread_version"
    ).order_by("id")
    if organization_id is not None:
        holds = holds.filter(organization_id=organization_id)
    last: UUID | None = None
    while True:
        page = list((holds if last is None else holds.filter(id__gt=last))[:_PAGE])
        if not page:
            return
        last = page[-1].id
        captured = _captured_by_reference([hold.reference for hold in page])
        for hold in page:
            for check, message in (
                *_state_problems(hold, now=now),
                *_price_problems(hold),
                *_capture_problems(hold, captured.get(hold.reference, _NOTHING)),
            ):
                yield Finding(check, _HOLDS, str(hold.id), f"{hold.reference}: {message}")


def check_captures(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield capture entries whose hold is missing or not captured."""
    with connection.cursor() as cursor:
        cursor.execute(_CAPTURES_WITHOUT_HOLD, {"organization_id": organization_id})
        rows = cursor.fetchall()
    for entry_id, reference in rows:
        yield Finding(
            "capture_has_hold",
            "billing_journalentry",
            str(entry_id),
            f"charges '{reference}', which has no captured hold",
        )


def check_budgets(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield months of budgets that differ from the holds counted in them."""
    with connection.cursor() as cursor:
        cursor.execute(_BUDGETS, {"organization_id": organization_id})
        rows = cursor.fetchall()
    for row_id, period, held, holds_held, captured, holds_captured in rows:
        yield Finding(
            "budget_period",
            "billing_budgetperiod",
            row_id,
            f"{period:%Y-%m}: says {held} micros held and {captured} captured, its holds sum to"
            f" {holds_held} and {holds_captured}",
        )


def _captured_by_reference(references: list[str]) -> dict[str, _Booked]:
    """Return what the captures of these holds booked, in the currency of their wallets.

    An image that promotional credit and wallet paid has a line of each, and counts once.
    """
    postings = Posting.objects.filter(
        entry__kind=EntryKind.CAPTURE, entry__reference__in=references
    )
    codes = (AccountCode.WALLET, AccountCode.WALLET_PROMO)
    paid = Q(account__code__in=codes, direction=Direction.DEBIT)
    of_promo = Q(account__code=AccountCode.WALLET_PROMO, direction=Direction.DEBIT)
    of_spread = Q(account__code=AccountCode.FX_SPREAD, direction=Direction.CREDIT)
    rows = postings.values_list("entry__reference").annotate(
        amount=Sum("amount_micros", filter=paid, default=0),
        promo=Sum("amount_micros", filter=of_promo, default=0),
        lines=Count("reference", filter=paid, distinct=True),
        spread=Sum("amount_micros", filter=of_spread, default=0),
    )
    return {
        reference: _Booked(int(amount), int(promo), lines, int(spread))
        for reference, amount, promo, lines, spread in rows
    }


def _state_problems(hold: Hold, *, now: datetime) -> Iterator[tuple[str, str]]:
    if hold_digest(hold) != bytes(hold.digest):
        yield "hold_digest", "a column was changed outside authorize, capture and release"
    if hold.amount_micros != hold.unit_micros * hold.count:
        yield "hold_amount", f"{hold.amount_micros} micros is not {hold.unit_micros} x {hold.count}"
    is_open = hold.status == HoldStatus.AUTHORIZED
    if is_open != (hold.closed_at is None):
        yield "hold_status", f"{hold.status}, closed at {hold.closed_at}"
    if is_open and hold.deadline_at + OVERDUE_AFTER < now:
        yield "hold_overdue", f"still open, its deadline was {hold.deadline_at.isoformat()}"


def _price_problems(hold: Hold) -> Iterator[tuple[str, str]]:
    """Recompute the unit from the price version, markup and rate rows that the hold names."""
    version = hold.price_version
    list_amount = image_list_amount(
        version.amount,
        unit=version.unit,
        pixels=hold.pixels,
        base_amount=version.base_amount,
        base_pixels=version.base_pixels,
        input_amount=version.input_amount,
        inputs=hold.inputs,
    )
    markup = (hold.markup_version.rate if hold.markup_version else None) or Decimal(0)
    rate = Decimal(1) if hold.fx_rate is None else hold.fx_rate.rate
    # Without a row it is the setting of that time, which the hold alone remembers.
    spread = hold.spread if hold.spread_version is None else hold.spread_version.rate
    stored = (hold.list_amount, hold.list_currency, hold.markup, hold.rate, hold.spread)
    if (list_amount, version.currency, markup, rate, spread) != stored:
        yield (
            "hold_price_source",
            f"the rows it names say {list_amount} {version.currency}, {markup}, {rate}, {spread}",
        )
    for name, micros, factor, added in (
        ("unit_micros", hold.unit_micros, rate, spread),
        ("list_unit_micros", hold.list_unit_micros, Decimal(1), Decimal(0)),
    ):
        expected = unit_price_micros(list_amount, markup=markup, rate=factor, spread=added)
        if micros != expected:
            yield (
                "hold_price",
                f"{name} is {micros}, its price version, markup, rate and spread make {expected}",
            )


def _capture_problems(hold: Hold, booked: _Booked) -> Iterator[tuple[str, str]]:
    if (hold.captured_micros, hold.captured_count) != (booked.amount_micros, booked.lines):
        yield (
            "hold_captured",
            (
                f"says {hold.captured_micros} for {hold.captured_count},"
                f" booked {booked.amount_micros} for {booked.lines}"
            ),
        )
    promo_micros = min(hold.promo_micros, hold.captured_micros)
    if booked.promo_micros != promo_micros:
        yield (
            "hold_captured",
            f"booked {booked.promo_micros} of promotional credit, its terms make {promo_micros}",
        )
    if (hold.status == HoldStatus.CAPTURED) != (booked.lines > 0):
        yield "hold_entry", f"is {hold.status}, the journal has {booked.lines} capture lines for it"
    exchanged = unit_price_micros(hold.list_amount, markup=hold.markup, rate=hold.rate)
    spread_micros = (hold.unit_micros - exchanged) * hold.captured_count
    if booked.spread_micros != spread_micros:
        yield (
            "hold_spread",
            f"booked {booked.spread_micros} of spread, its terms make {spread_micros}",
        )
