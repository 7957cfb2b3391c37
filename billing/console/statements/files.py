"""A statement as CSV and as JSON, for programs: decimal points, ISO dates, words in English."""

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

import orjson

from billing.console.statements.sheet import Sheet
from billing.money import format_amount, to_decimal

COLUMNS: Final = (
    "section", "item", "size", "quality", "images", "entries", "list_price", "list_currency",
    "markup", "rate", "spread", "source", "as_of", "amount", "currency",
)  # fmt: skip


def as_csv(sheet: Sheet) -> str:
    """Write a row for each figure; what a row lacks is empty. Six decimals in every amount."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_rows(sheet))
    return text.getvalue()


def as_json(sheet: Sheet) -> bytes:
    """Write everything the statement says; amounts and rates are decimal strings."""
    return orjson.dumps(_fields(sheet), option=orjson.OPT_INDENT_2)


def _rows(sheet: Sheet) -> Iterator[dict[str, object]]:
    def amount(micros: int) -> dict[str, object]:
        return {"amount": f"{to_decimal(micros):f}", "currency": sheet.currency}

    for account in sheet.accounts:
        yield {"section": account.code, "item": "opening"} | amount(account.opening_micros)
        for move in account.movements:
            row = {"section": account.code, "item": move.kind, "entries": move.entries}
            yield row | amount(move.micros)
        yield {"section": account.code, "item": "closing"} | amount(account.closing_micros)
    for line in sheet.lines:
        yield {
            "section": "images",
            "item": line.model,
            "size": line.size,
            "quality": line.quality,
            "images": line.images,
            "list_price": f"{line.list_amount:f}",
            "list_currency": line.list_currency,
            "markup": f"{line.markup:f}",
        } | amount(line.micros)
    for rate in sheet.rates:
        yield {
            "section": "rates",
            "item": f"{rate.base}/{rate.quote}",
            "images": rate.images,
            "rate": f"{rate.rate:f}",
            "spread": f"{rate.spread:f}",
            "source": rate.source,
            "as_of": rate.as_of.isoformat() if rate.as_of else "",
        } | amount(rate.micros)


def _fields(sheet: Sheet) -> dict[str, Any]:
    def amount(micros: int) -> str:
        return format_amount(micros, sheet.currency)

    return {
        "object": "statement",
        "number": sheet.number,
        "month": f"{sheet.starts_at:%Y-%m}",
        "issued_at": sheet.issued_at,
        "starts_at": sheet.starts_at,
        "ends_at": sheet.ends_at,
        "time_zone": sheet.time_zone,
        "currency": sheet.currency,
        "issuer": sheet.issuer,
        "customer": dict(sheet.customer),
        "accounts": [
            {
                "account": one.code,
                "opening": amount(one.opening_micros),
                "movements": [
                    {"kind": m.kind, "entries": m.entries, "amount": amount(m.micros)}
                    for m in one.movements
                ],
                "closing": amount(one.closing_micros),
                "ledger": {"from": one.from_seq, "to": one.to_seq, "head": one.head},
            }
            for one in sheet.accounts
        ],
        "lines": [
            {
                "model": line.model,
                "size": line.size or None,
                "quality": line.quality or None,
                "images": line.images,
                "list_price": f"{line.list_amount:f}",
                "list_currency": line.list_currency,
                "markup": f"{line.markup:f}",
                "amount": amount(line.micros),
            }
            for line in sheet.lines
        ],
        "rates": [
            {
                "pair": f"{rate.base}/{rate.quote}",
                "rate": f"{rate.rate:f}",
                "spread": f"{rate.spread:f}",
                "source": rate.source,
                "as_of": rate.as_of,
                "images": rate.images,
                "amount": amount(rate.micros),
            }
            for rate in sheet.rates
        ],
        "sha256": sheet.digest or None,
    }
