"""What documents in PDF share: type, tables, the line at the bottom of each page."""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from django.utils import formats
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
    Table,
)

# DejaVu has the letters of every European language; who uses others sees boxes in their own name.
FONTS: Final = Path(__file__).parent.parent / "fonts"
REGULAR, BOLD = "DejaVu", "DejaVu-Bold"
INK: Final = colors.HexColor("#18212b")
FAINT: Final = colors.HexColor("#5b6674")
RULE: Final = colors.HexColor("#d5dbe1")
MARGIN: Final = 18 * mm
WIDTH: Final = A4[0] - 2 * MARGIN

TEXT: Final = ParagraphStyle("text", fontName=REGULAR, fontSize=8.5, leading=12, textColor=INK)
RIGHT: Final = ParagraphStyle("right", TEXT, alignment=TA_RIGHT)
TITLE: Final = ParagraphStyle("title", TEXT, fontName=BOLD, fontSize=18, leading=24)
SECTION: Final = ParagraphStyle(
    "section", TEXT, fontName=BOLD, fontSize=10.5, leading=14, spaceBefore=14, spaceAfter=4
)
NOTE: Final = ParagraphStyle("note", TEXT, textColor=FAINT, fontSize=7.5, leading=10.5)
_HEAD: Final = ParagraphStyle("head", TEXT, fontName=BOLD, textColor=FAINT, fontSize=7.5)
_HEAD_RIGHT: Final = ParagraphStyle("head-right", _HEAD, alignment=TA_RIGHT)


def draw_document(story: Iterable[Flowable], *, title: str, issuer: str) -> bytes:
    """Draw a document. The same story makes the same bytes."""
    _register_fonts()
    target = io.BytesIO()
    document = BaseDocTemplate(
        target,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        title=title,
        author=issuer,
        invariant=1,
    )
    body = Frame(MARGIN, MARGIN, WIDTH, A4[1] - 2 * MARGIN, 0, 0, 0, 0)
    foot = _Foot(f"{issuer} · {title}")
    document.addPageTemplates([PageTemplate("page", [body], onPage=foot)])
    document.build(list(story))
    return target.getvalue()


class _Foot:
    """Draws the line at the bottom of every page."""

    def __init__(self, left: str) -> None:
        self._left = left

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


def two_columns(left: str, right: str) -> Flowable:
    """Draw whom a document is for beside its facts; both are marked up."""
    return Table(
        [[Paragraph(left, TEXT), Paragraph(right, RIGHT)]],
        colWidths=[WIDTH / 2, WIDTH / 2],
        style=[("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)],
    )


def addressee(customer: Mapping[str, str]) -> str:
    """Return whom a document is for, marked up."""
    parts = [
        customer["legal_name"] or customer["name"],
        *customer["address"].splitlines(),
        customer["country"],
        _("Tax id: %(id)s") % {"id": customer["tax_id"]} if customer["tax_id"] else "",
    ]
    return "<br/>".join(escape(part) for part in parts if part)


def table(
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
    body = [cells(row, TEXT, RIGHT) for row in rows]
    if is_summed:
        style.append(("LINEABOVE", (0, -1), (-1, -1), 0.8, INK))
    return Table(
        [cells(heads, _HEAD, _HEAD_RIGHT), *body],
        colWidths=[share * WIDTH / 100 for share in widths],
        repeatRows=1,
        style=style,
    )


def short_instant(value: datetime) -> str:
    """Return an instant as the document's language writes it."""
    return formats.date_format(value, "SHORT_DATETIME_FORMAT")
