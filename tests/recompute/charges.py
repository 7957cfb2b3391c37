"""What images were charged: their prices from the terms, and margins from the postings."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from tests.recompute.tables import ZERO, Posting, Row, Tables

MICRO = Decimal("0.000001")


def check_charges(tables: Tables) -> Iterator[str]:
    """Each charge is list price x (1 + markup) x rate x (1 + spread), of the terms of its time."""
    prices, rates = list(tables.rows("prices")), list(tables.rows("rates"))
    captured = {
        key.removeprefix("generation:"): postings
        for key, postings in tables.by_key().items()
        if postings[0].kind == "capture"
    }
    for request, row in tables.charges.items():
        unit = _unit(row)
        if unit != Decimal(row["unit"]):
            yield f"charges: the unit of {request} is {row['unit']}, its terms make {unit}"
        yield from _terms_of_their_time(row, prices, rates)
        own = [one for one in captured.pop(request, []) if one.organization]
        paid, images = -sum((one.amount for one in own), ZERO), {one.reference for one in own}
        if (paid, len(images)) != (unit * int(row["images"]), int(row["images"])):
            yield f"charges: {request} paid {paid} for {len(images)} images, not {row['images']}"
    for request in captured:
        yield f"charges: {request} is captured without terms"


def _unit(row: Row) -> Decimal:
    exact = Decimal(row["list_price"]) * (1 + Decimal(row["markup"])) * Decimal(row["rate"])
    return (exact * (1 + Decimal(row["spread"]))).quantize(MICRO, ROUND_HALF_UP)


def _terms_of_their_time(row: Row, prices: list[Row], rates: list[Row]) -> Iterator[str]:
    at = datetime.fromisoformat(row["authorized_at"])
    found = [
        one
        for one in prices
        if one["model"] == row["model"]
        and (one["price_book"] == "platform" or one["currency"] == row["currency"])
        and datetime.fromisoformat(one["active_from"]) <= at
    ]
    # A book in the wallet's own currency comes before the platform's; then the newest.
    price = max(
        found,
        key=lambda one: (
            one["price_book"] != "platform",
            datetime.fromisoformat(one["active_from"]),
        ),
    )
    if (Decimal(price["amount"]), price["currency"]) != (
        Decimal(row["list_price"]),
        row["list_currency"],
    ):
        yield f"charges: {row['request']} cost {row['list_price']}, the price was {price['amount']}"
    if row["list_currency"] == row["currency"]:
        if Decimal(row["rate"]) != 1:
            yield f"charges: {row['request']} was exchanged without need"
        return
    in_force = max(
        (
            one
            for one in rates
            if (one["base"], one["quote"]) == (row["list_currency"], row["currency"])
            and datetime.fromisoformat(one["as_of"]) <= at
        ),
        key=lambda one: datetime.fromisoformat(one["as_of"]),
    )
    if Decimal(in_force["rate"]) != Decimal(row["rate"]):
        yield f"charges: {row['request']} at {row['rate']}, the rate was {in_force['rate']}"


def check_margin(tables: Tables) -> Iterator[str]:
    """Revenue, spread and cost of each group are the postings of its images and attempts."""
    due: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for posting in tables.journal:
        name = {"revenue": "revenue", "fx_spread": "spread", "provider_cost": "cost"}.get(
            posting.account
        )
        if name is None:
            continue
        for by, group in _groups(tables, posting):
            figures = due[by, group, posting.currency]
            figures[name] += posting.amount
            if name == "revenue":
                figures["images"] += 1 if posting.credit else -1
            figures["margin"] += -posting.amount if name == "cost" else posting.amount
    for row in tables.rows("margin"):
        key = row["by"], row["name"], row["currency"]
        figures = due.pop(key, defaultdict(Decimal))
        for name in ("images", "revenue", "spread", "cost", "margin"):
            if Decimal(row[name]) != figures[name]:
                yield f"margin: {name} of {' '.join(key)} is {row[name]}, not {figures[name]}"
    for key in due:
        yield f"margin: {' '.join(key)} is missing"


def _groups(tables: Tables, posting: Posting) -> Iterator[tuple[str, str]]:
    is_cost = posting.account == "provider_cost"
    made = tables.attempts.get(posting.about) if is_cost else tables.images.get(posting.reference)
    of = made or {"model": "", "provider": "", "organization": ""}
    yield "day", posting.effective_at.date().isoformat()
    yield "currency", posting.currency
    for name in ("model", "provider", "organization"):
        yield name, of[name]
