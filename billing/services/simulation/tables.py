"""The tables of a month's books, as rows of CSV files: enough to compute all of them anew.

Amounts are of currency units with six decimals, instants ISO 8601 in UTC.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from billing.models import (
    Balance,
    CreditNote,
    FxRate,
    Hold,
    HoldStatus,
    PriceKind,
    PriceVersion,
    Statement,
)
from billing.money import to_decimal
from billing.selectors.reports.journal import Place, list_journal
from billing.selectors.reports.trial_balance import list_movements

Rows = Iterator[Sequence[object]]
_BATCH: Final = 2000

JOURNAL: Final = (
    "effective_at", "booked_at", "entry", "line", "kind", "key", "entry_reference", "account",
    "organization", "debit", "credit", "currency", "reference",
)  # fmt: skip
TRIAL_BALANCE: Final = ("account", "currency", "opening", "debit", "credit", "closing")
STATEMENTS: Final = (
    "organization", "number", "starts_at", "ends_at", "section", "item", "size", "quality",
    "count", "list_price", "list_currency", "markup", "rate", "spread", "as_of", "amount",
    "currency",
)  # fmt: skip
BALANCES: Final = ("organization", "account", "currency", "posted", "held")
CHARGES: Final = (
    "request", "organization", "authorized_at", "captured_at", "model", "size", "quality",
    "price_book", "list_price", "list_currency", "markup", "rate", "rate_as_of", "spread", "unit",
    "images", "currency",
)  # fmt: skip
CREDIT_NOTES: Final = ("number", "organization", "request", "artifact", "amount", "currency")
PRICES: Final = ("model", "price_book", "amount", "currency", "active_from")
RATES: Final = ("base", "quote", "rate", "as_of")


def amount(micros: int) -> Decimal:
    """Return micros as units with six decimals; a number, so that no file marks its minus."""
    return Decimal(f"{to_decimal(micros):.6f}")


def instant(value: datetime | None) -> str:
    """Return an instant in UTC; of None nothing."""
    return "" if value is None else value.astimezone(UTC).isoformat()


def journal_rows(first: date, last: date) -> Rows:
    """Yield every posting of a month, in the order of effect."""
    after: Place | None = None
    while lines := list_journal(begins=first, ends=last, limit=_BATCH, after=after):
        for one in lines:
            yield (
                instant(one.effective_at), instant(one.booked_at), one.entry_id, one.line,
                one.kind, one.key, one.entry_reference, one.code, one.organization_id or "",
                "" if one.debit is None else amount(one.debit),
                "" if one.credit is None else amount(one.credit),
                one.currency, one.reference,
            )  # fmt: skip
        after = lines[-1].place


def trial_balance_rows(first: date, last: date) -> Rows:
    """Yield what the accounts moved in a month."""
    for one in list_movements(begins=first, ends=last):
        if one.opening or one.debit or one.credit:
            figures = (one.opening, one.debit, one.credit, one.closing)
            yield (one.code, one.currency, *map(amount, figures))


def statement_rows(organizations: Collection[UUID]) -> Rows:
    """Yield a row for each figure of the statements of organizations."""
    rows = Statement.objects.filter(organization_id__in=organizations)
    for statement in rows.order_by("organization_id", "number"):
        yield from _figures(statement, statement.content)


def _figures(statement: Statement, said: dict[str, Any]) -> Rows:
    own = (
        statement.organization_id,
        statement.number,
        instant(statement.starts_at),
        instant(statement.ends_at),
    )
    currency, nothing = said["currency"], ("",) * 6
    for one in said["accounts"]:
        for item, count, micros in (
            ("opening", 0, one["opening"]),
            *((move["kind"], move["entries"], move["amount"]) for move in one["movements"]),
            ("closing", 0, one["closing"]),
        ):
            yield (
                *own, one["code"], item, "", "", count, *nothing, amount(micros), currency
            )  # fmt: skip
    for line in said["lines"]:
        yield (
            *own, "images", line["model"], line["size"], line["quality"], line["images"],
            line["list_amount"], line["list_currency"], Decimal(line["markup"]), "", "", "",
            amount(line["amount"]), currency,
        )  # fmt: skip
    for rate in said["rates"]:
        yield (
            *own, "rates", rate["base"], "", "", rate["images"], "", "", "", rate["rate"],
            Decimal(rate["spread"]), rate["as_of"] or "", amount(rate["amount"]), currency,
        )  # fmt: skip


def balance_rows(organizations: Collection[UUID]) -> Rows:
    """Yield the balances of organizations, as they are locked and spent from."""
    rows = Balance.objects.select_related("account").filter(
        account__organization_id__in=organizations
    )
    for row in rows.order_by("account__organization_id", "account__code"):
        account = row.account
        figures = (amount(row.posted_micros), amount(row.held_micros))
        yield (account.organization_id, account.code, account.currency, *figures)


def charge_rows(organizations: Collection[UUID]) -> Rows:
    """Yield the captured holds of organizations, with the terms that made their price."""
    rows = Hold.objects.select_related("price_version", "fx_rate").filter(
        organization_id__in=organizations, status=HoldStatus.CAPTURED
    )
    for row in rows.order_by("authorized_at", "id").iterator(chunk_size=_BATCH):
        price, rate = row.price_version, row.fx_rate
        yield (
            row.reference, row.organization_id, instant(row.authorized_at), instant(row.closed_at),
            price.model_key, price.size, price.quality, price.price_book, row.list_amount,
            row.list_currency, row.markup, f"{row.rate:f}",
            instant(rate.as_of if rate else None), row.spread, amount(row.unit_micros),
            row.captured_count, row.currency,
        )  # fmt: skip


def credit_note_rows(organizations: Collection[UUID]) -> Rows:
    """Yield the refunded images of organizations, by credit note."""
    rows = CreditNote.objects.filter(organization_id__in=organizations).order_by("number")
    for row in rows:
        for image in row.content["images"]:
            yield (
                row.number, row.organization_id, row.content["reference"], image["artifact"],
                amount(image["amount"]), row.currency,
            )  # fmt: skip


def price_rows(models: Collection[str]) -> Rows:
    """Yield the list prices of models, in the order in which they came into force."""
    rows = PriceVersion.objects.filter(model_key__in=models, kind=PriceKind.LIST)
    for row in rows.order_by("active_from", "id"):
        yield (
            row.model_key, row.price_book, f"{row.amount:f}", row.currency, instant(row.active_from)
        )  # fmt: skip


def rate_rows(first: datetime, last: datetime) -> Rows:
    """Yield the rates set by hand within a month."""
    rows = FxRate.objects.filter(source="manual", as_of__gte=first, as_of__lt=last)
    for row in rows.order_by("as_of", "id"):
        yield (row.base, row.quote, f"{row.rate:f}", instant(row.as_of))
