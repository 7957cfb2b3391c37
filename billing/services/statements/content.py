"""What a statement says, as it is frozen: numbers and codes; words are for who renders it.

Amounts are integer micros, rates and list prices decimal strings, instants ISO 8601 in UTC.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings

from billing.selectors.statements.ledger import AccountRange, Usage
from orgs.models import Organization

FORMAT: Final = 1


def make_content(
    *,
    organization: Organization,
    ranges: Sequence[AccountRange],
    usage: Sequence[Usage],
    starts_at: datetime,
    ends_at: datetime,
) -> dict[str, Any]:
    """Put together all that a statement says but its number and its month."""
    return {
        "format": FORMAT,
        "issuer": settings.STATEMENT_ISSUER,
        "customer": make_customer(organization),
        "language": organization.language,
        "time_zone": organization.time_zone,
        "currency": organization.currency,
        "starts_at": _instant(starts_at),
        "ends_at": _instant(ends_at),
        "accounts": [_account(one) for one in ranges if _is_used(one)],
        "lines": _lines(usage),
        "rates": _rates(usage, organization.currency),
    }


def make_customer(organization: Organization) -> dict[str, str]:
    """Return whom a document is for, as its billing profile says by now."""
    return {
        "id": str(organization.id),
        "name": organization.name,
        "legal_name": organization.legal_name,
        "address": organization.billing_address,
        "country": organization.billing_country,
        "tax_id": organization.tax_id,
    }


def digest_of(content: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of a content: keys sorted, no spaces, ASCII."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).digest()


def _is_used(one: AccountRange) -> bool:
    return one.code == "wallet" or bool(one.movements) or one.opening_micros != 0


def _account(one: AccountRange) -> dict[str, Any]:
    return {
        "code": one.code,
        "from_seq": one.from_seq,
        "to_seq": one.to_seq,
        "head": one.head.hex(),
        "opening": one.opening_micros,
        "closing": one.closing_micros,
        "movements": [
            {"kind": move.kind, "entries": move.entries, "amount": move.micros}
            for move in one.movements
        ],
    }


def _lines(usage: Iterable[Usage]) -> list[dict[str, Any]]:
    """Sum up by model and price, whatever the exchange rates of the days."""
    lines: dict[tuple[object, ...], dict[str, Any]] = {}
    for one in usage:
        key = (one.model, one.size, one.quality, one.list_amount, one.list_currency, one.markup)
        line = lines.setdefault(
            key,
            {
                "model": one.model,
                "size": one.size,
                "quality": one.quality,
                "list_amount": _decimal(one.list_amount),
                "list_currency": one.list_currency,
                "markup": _decimal(one.markup),
                "images": 0,
                "amount": 0,
            },
        )
        line["images"] += one.images
        line["amount"] += one.micros
    return list(lines.values())


def _rates(usage: Iterable[Usage], currency: str) -> list[dict[str, Any]]:
    """List the exchange rates that were charged at, with what was charged at each."""
    rates: dict[tuple[object, ...], dict[str, Any]] = {}
    for one in usage:
        if one.list_currency == currency:
            continue
        as_of = None if one.rate_as_of is None else _instant(one.rate_as_of)
        key = (one.list_currency, as_of, one.rate_source, one.rate, one.spread)
        rate = rates.setdefault(
            key,
            {
                "base": one.list_currency,
                "quote": currency,
                "rate": _decimal(one.rate),
                "spread": _decimal(one.spread),
                "source": one.rate_source,
                "as_of": as_of,
                "images": 0,
                "amount": 0,
            },
        )
        rate["images"] += one.images
        rate["amount"] += one.micros
    return sorted(rates.values(), key=lambda rate: (rate["base"], rate["as_of"] or ""))


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def _decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
