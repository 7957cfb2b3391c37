"""A credit note as PDF, CSV and JSON; the PDF in the language it was issued in."""

import csv
import io
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

import orjson
from django.utils import translation
from django.utils.translation import gettext as _
from reportlab.platypus import Flowable, Paragraph, Spacer

from billing.console.credit_notes.sheet import CreditNoteSheet
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
from billing.money import format_amount, to_decimal
from billing.templatetags.money import plain_money

COLUMNS: Final = (
    "number", "issued_at", "request", "image", "artifact", "amount", "currency", "reason",
)  # fmt: skip


def as_pdf(sheet: CreditNoteSheet) -> bytes:
    """Draw it. The same credit note makes the same bytes."""
    with translation.override(sheet.language):
        return draw_document(_story(sheet), title=_title(sheet), issuer=sheet.issuer)


def as_csv(sheet: CreditNoteSheet) -> str:
    """Write a row for each image. Six decimals in every amount."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (
            sheet.number,
            sheet.issued_at.isoformat(),
            sheet.request_id,
            one.position,
            one.artifact,
            f"{to_decimal(one.micros):f}",
            sheet.currency,
            sheet.reason,
        )
        for one in sheet.images
    )
    return text.getvalue()


def as_json(sheet: CreditNoteSheet) -> bytes:
    """Write everything it says; amounts are decimal strings."""
    fields = {
        "object": "credit_note",
        "number": sheet.number,
        "issued_at": sheet.issued_at,
        "issuer": sheet.issuer,
        "customer": dict(sheet.customer),
        "currency": sheet.currency,
        "request": sheet.request_id,
        "charged_at": sheet.charged_at,
        "charged": format_amount(sheet.charged_micros, sheet.currency),
        "model": sheet.model,
        "size": sheet.size or None,
        "quality": sheet.quality or None,
        "reason": sheet.reason,
        "images": [
            {
                "image": one.position,
                "artifact": one.artifact,
                "amount": format_amount(one.micros, sheet.currency),
            }
            for one in sheet.images
        ],
        "amount": format_amount(sheet.micros, sheet.currency),
        "sha256": sheet.digest,
    }
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2)


def _title(sheet: CreditNoteSheet) -> str:
    return _("Credit note no. %(number)s") % {"number": sheet.number}


def _story(sheet: CreditNoteSheet) -> Iterator[Flowable]:
    yield Paragraph(escape(_title(sheet)), TITLE)
    yield two_columns(addressee(sheet.customer), _facts(sheet))
    yield Paragraph(escape(_("Reason")), SECTION)
    yield Paragraph(escape(sheet.reason), TEXT)
    yield Paragraph(escape(_("Refunded images")), SECTION)
    what = " · ".join(part for part in (sheet.model, sheet.size, sheet.quality) if part)
    rows = [
        (
            _("Image %(number)d") % {"number": one.position},
            what,
            plain_money(one.micros, sheet.currency),
        )
        for one in sheet.images
    ]
    rows.append((_("Credited to the wallet"), "", plain_money(sheet.micros, sheet.currency)))
    heads = ["", _("Model"), _("Amount")]
    yield table(heads, rows, widths=[30, 45, 25], left=2, is_summed=True)
    yield Spacer(0, 12)
    for note in _notes(sheet):
        yield Paragraph(escape(note), NOTE)


def _facts(sheet: CreditNoteSheet) -> str:
    parts = [
        _("Issued %(when)s") % {"when": short_instant(sheet.issued_at)},
        sheet.time_zone,
        _("All amounts in %(currency)s") % {"currency": sheet.currency},
    ]
    return "<br/>".join(map(escape, parts))


def _notes(sheet: CreditNoteSheet) -> Iterator[str]:
    yield _("Charged on %(when)s: %(amount)s %(currency)s for request %(id)s.") % {
        "id": sheet.request_id,
        "amount": plain_money(sheet.charged_micros, sheet.currency),
        "currency": sheet.currency,
        "when": short_instant(sheet.charged_at),
    }
    yield _("Prices are net of tax, which is charged when money is added.")
    yield _("SHA-256 of this credit note: %(digest)s") % {"digest": sheet.digest}
