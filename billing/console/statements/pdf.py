"""A statement as PDF, in the language it was issued in."""

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from django.utils import formats, translation
from django.utils.translation import gettext as _
from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from billing.console.statements.sheet import Account, Sheet
from billing.templatetags.money import decimal, percent, plain_money, whole

# DejaVu has the letters of every European language; who uses others sees boxes in their own name.
FONTS: Final = Path(__file__).parent.parent.parent / "fonts"
REGULAR, BOLD = "DejaVu", "DejaVu-Bold"
INK: Final = colors.HexColor("#18212b")
FAINT: Final = colors.HexColor("#5b6674")
RULE: Final = colors.HexColor("#d5dbe1")
MARGIN: Final = 18 * mm
WIDTH: Final = A4[0] - 2 * MARGIN

_TEXT: Final = ParagraphStyle("text", fontName=REGULAR, fontSize=8.5, leading=12, textColor=INK)
_RIGHT: Final = ParagraphStyle("right", _TEXT, alignment=TA_RIGHT)
_HEAD: Final = ParagraphStyle("head", _TEXT, fontName=BOLD, textColor=FAINT, fontSize=7.5)
_HEAD_RIGHT: Final = ParagraphStyle("head-right", _HEAD, alignment=TA_RIGHT)
_TITLE: Final = ParagraphStyle("title", _TEXT, fontName=BOLD, fontSize=18, leading=24)
_SECTION: Final = ParagraphStyle(
    "section", _TEXT, fontName=BOLD, fontSize=10.5, leading=14, spaceBefore=14, spaceAfter=4
)
_NOTE: Final = ParagraphStyle("note", _TEXT, textColor=FAINT, fontSize=7.5, leading=10.5)


def as_pdf(sheet: Sheet) -> bytes:
    """Draw the statement. The same statement makes the same bytes."""
    _register_fonts()
    with translation.override(sheet.language):
        target = io.BytesIO()
        document = BaseDocTemplate(
            target,
            pagesize=A4,
            leftMargin=MARGIN,
            rightMargin=MARGIN,
            title=_title(sheet),
            author=sheet.issuer,
            invariant=1,
        )
        body = Frame(MARGIN, MARGIN, WIDTH, A4[1] - 2 * MARGIN, 0, 0, 0, 0)
        foot = _Foot(sheet)
        document.addPageTemplates([PageTemplate("page", [body], onPage=foot)])
        document.build(list(_story(sheet)))
        return target.getvalue()


class _Foot:
    """Draws the line at the bottom of every page."""

    def __init__(self, sheet: Sheet) -> None:
        self._left = f"{sheet.issuer} · {_title(sheet)}"

    def __call__(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont(REGULAR, 7)
        canvas.setFillColor(FAINT)
        canvas.drawString(MARGIN, MARGIN / 2, self._left)
        page = _("Page %(number)s") % {"number": document.page}
        canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, page)
        canvas.restoreState()


def _register_fonts() -> None:
    if REGULAR not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(REGULAR, FONTS / "DejaVuSans.ttf"))
        pdfmetrics.registerFont(TTFont(BOLD, FONTS / "DejaVuSans-Bold.ttf"))


def _title(sheet: Sheet) -> str:
    month = formats.date_format(sheet.starts_at, "YEAR_MONTH_FORMAT")
    if sheet.number is None:
        return _("Statement of %(month)s so far") % {"month": month}
    return _("Statement no. %(number)s, %(month)s") % {"number": sheet.number, "month": month}


def _story(sheet: Sheet) -> Iterator[Flowable]:
    yield Paragraph(escape(_title(sheet)), _TITLE)
    yield Table(
        [[Paragraph(_customer(sheet), _TEXT), Paragraph(_facts(sheet), _RIGHT)]],
        colWidths=[WIDTH / 2, WIDTH / 2],
        style=[("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)],
    )
    for account in sheet.accounts:
        yield Paragraph(escape(str(account.label)), _SECTION)
        yield _movements(account, sheet.currency)
    yield Paragraph(escape(_("Images")), _SECTION)
    if sheet.lines:
        yield _lines(sheet)
    else:
        yield Paragraph(escape(_("No image was charged.")), _TEXT)
    if sheet.rates:
        yield Paragraph(escape(_("Exchange rates")), _SECTION)
        yield _rates(sheet)
    yield Spacer(0, 12)
    for note in _notes(sheet):
        yield Paragraph(escape(note), _NOTE)


def _customer(sheet: Sheet) -> str:
    who = sheet.customer
    parts = [
        who["legal_name"] or who["name"],
        *who["address"].splitlines(),
        who["country"],
        _("Tax id: %(id)s") % {"id": who["tax_id"]} if who["tax_id"] else "",
    ]
    return "<br/>".join(escape(part) for part in parts if part)


def _facts(sheet: Sheet) -> str:
    period = _("%(start)s to %(end)s") % {
        "start": _instant(sheet.starts_at),
        "end": _instant(sheet.ends_at),
    }
    parts = [
        period,
        sheet.time_zone,
        _("All amounts in %(currency)s") % {"currency": sheet.currency},
    ]
    if sheet.issued_at:
        parts.append(_("Issued %(when)s") % {"when": _instant(sheet.issued_at)})
    return "<br/>".join(map(escape, parts))


def _movements(account: Account, currency: str) -> Flowable:
    rows = [(_("Opening balance"), "", plain_money(account.opening_micros, currency))]
    rows += [
        (str(move.label), whole(move.entries), plain_money(move.micros, currency))
        for move in account.movements
    ]
    rows.append((_("Closing balance"), "", plain_money(account.closing_micros, currency)))
    return _table(
        ["", _("Entries"), _("Amount")], rows, widths=[60, 15, 25], left=1, is_summed=True
    )


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
    return _table(heads, rows, widths=[26, 19, 12, 17, 10, 16], left=2, is_summed=True)


def _rates(sheet: Sheet) -> Flowable:
    rows = [
        (
            f"{rate.base}/{rate.quote}",
            rate.source,
            _instant(rate.as_of) if rate.as_of else "",
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
    return _table(heads, rows, widths=[12, 13, 21, 14, 11, 13, 16], left=3)


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


def _table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    widths: Sequence[int],
    left: int,
    is_summed: bool = False,
) -> Flowable:
    """Draw a table whose first `left` columns are words, the others figures.

    Widths are percent of the text's.
    """

    def cells(texts: Sequence[str], word: ParagraphStyle, figure: ParagraphStyle) -> list[Any]:
        return [
            Paragraph(escape(text), word if place < left else figure)
            for place, text in enumerate(texts)
        ]

    style: list[Any] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -2), 0.4, RULE),
        ("LINEBELOW", (0, -1), (-1, -1), 0.8, RULE),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    body = [cells(row, _TEXT, _RIGHT) for row in rows]
    if is_summed:
        style.append(("LINEABOVE", (0, -1), (-1, -1), 0.8, INK))
    return Table(
        [cells(heads, _HEAD, _HEAD_RIGHT), *body],
        colWidths=[share * WIDTH / 100 for share in widths],
        repeatRows=1,
        style=style,
    )


def _instant(value: datetime) -> str:
    return formats.date_format(value, "SHORT_DATETIME_FORMAT")
