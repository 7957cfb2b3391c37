"""A statement as PDF, in the language it was issued in."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from django.utils import formats, translation
from django.utils.translation import gettext as _
from reportlab.platypus import Flowable, Paragraph, Spacer

from billing.console.documents import (
    NOTE,
    SECTION,
    TEXT,
    TITLE,
    addressee,
    draw_document,
    short_instant,
    table,
    two_columns,
)
from billing.console.statements.sheet import Account, Sheet
from billing.templatetags.money import decimal, percent, plain_money, whole


def as_pdf(sheet: Sheet) -> bytes:
    """Draw the statement. The same statement makes the same bytes."""
    with translation.override(sheet.language):
        return draw_document(_story(sheet), title=_title(sheet), issuer=sheet.issuer)


def _title(sheet: Sheet) -> str:
    month = formats.date_format(sheet.starts_at, "YEAR_MONTH_FORMAT")
    if sheet.number is None:
        return _("Statement of %(month)s so far") % {"month": month}
    return _("Statement no. %(number)s, %(month)s") % {"number": sheet.number, "month": month}


def _story(sheet: Sheet) -> Iterator[Flowable]:
    yield Paragraph(escape(_title(sheet)), TITLE)
    yield two_columns(addressee(sheet.customer), _facts(sheet))
    for account in sheet.accounts:
        yield Paragraph(escape(str(account.label)), SECTION)
        yield _movements(account, sheet.currency)
    yield Paragraph(escape(_("Images")), SECTION)
    if sheet.lines:
        yield _lines(sheet)
    else:
        yield Paragraph(escape(_("No image was charged.")), TEXT)
    if sheet.rates:
        yield Paragraph(escape(_("Exchange rates")), SECTION)
        yield _rates(sheet)
    yield Spacer(0, 12)
    for note in _notes(sheet):
        yield Paragraph(escape(note), NOTE)


def _facts(sheet: Sheet) -> str:
    period = _("%(start)s to %(end)s") % {
        "start": short_instant(sheet.starts_at),
        "end": short_instant(sheet.ends_at),
    }
    parts = [
        period,
        sheet.time_zone,
        _("All amounts in %(currency)s") % {"currency": sheet.currency},
    ]
    if sheet.issued_at:
        parts.append(_("Issued %(when)s") % {"when": short_instant(sheet.issued_at)})
    return "<br/>".join(map(escape, parts))


def _movements(account: Account, currency: str) -> Flowable:
    rows = [(_("Opening balance"), "", plain_money(account.opening_micros, currency))]
    rows += [
        (str(move.label), whole(move.entries), plain_money(move.micros, currency))
        for move in account.movements
    ]
    rows.append((_("Closing balance"), "", plain_money(account.closing_micros, currency)))
    return table(["", _("Entries"), _("Amount")], rows, widths=[60, 15, 25], left=1, is_summed=True)


def _lines(sheet: Sheet) -> Flowable:
    rows = [
        (
            line.model,
            " · ".join(part for part in (line.size, line.quality) if part),
            whole(line.images),
            f"{decimal(line.list_amount)} {line.list_currency}",
            percent(line.markup),
            plain_money(line.micros, sheet.currency),
        )
        for line in sheet.lines
    ]
    rows.append(
        (
            _("Sum"),
            "",
            whole(sheet.images),
            "",
            "",
            plain_money(sheet.charged_micros, sheet.currency),
        )
    )
    heads = [
        _("Model"), _("Size and quality"), _("Images"), _("List price"), _("Markup"), _("Amount"),
    ]  # fmt: skip
    return table(heads, rows, widths=[26, 19, 12, 17, 10, 16], left=2, is_summed=True)


def _rates(sheet: Sheet) -> Flowable:
    rows = [
        (
            f"{rate.base}/{rate.quote}",
            rate.source,
            short_instant(rate.as_of) if rate.as_of else "",
            decimal(rate.rate),
            percent(rate.spread),
            whole(rate.images),
            plain_money(rate.micros, sheet.currency),
        )
        for rate in sheet.rates
    ]
    heads = [
        _("Pair"), _("Source"), _("As of"), _("Rate"), _("Spread"), _("Images"), _("Amount"),
    ]  # fmt: skip
    return table(heads, rows, widths=[12, 13, 21, 14, 11, 13, 16], left=3)


def _notes(sheet: Sheet) -> Iterator[str]:
    yield _("Prices are net of tax, which is charged when money is added.")
    for one in sheet.accounts:
        yield _("Ledger, %(account)s: entries %(first)s to %(last)s, chain hash %(head)s") % {
            "account": str(one.label),
            "first": one.from_seq,
            "last": one.to_seq,
            "head": one.head or "0",
        }
    if sheet.digest:
        yield _("SHA-256 of this statement: %(digest)s") % {"digest": sheet.digest}
