"""An invoice as PDF, in the language it was issued in, and as JSON."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final
from xml.sax.saxutils import escape

import orjson
from django.http import Http404, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
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
from billing.console.taxes.sheet import InvoiceSheet
from billing.money import format_amount
from billing.templatetags.money import plain_money


def as_pdf(sheet: InvoiceSheet) -> bytes:
    """Draw it. The same invoice makes the same bytes."""
    with translation.override(sheet.language):
        return draw_document(_story(sheet), title=sheet.title, issuer=sheet.seller["name"])


def as_json(sheet: InvoiceSheet) -> bytes:
    """Write everything it says; amounts are decimal strings, those of a correction negative."""

    def amount(micros: int) -> str:
        return format_amount(micros, sheet.currency)

    fields = {
        "object": "invoice",
        "id": str(sheet.id),
        "kind": sheet.kind,
        "number": sheet.number,
        "corrects": sheet.corrects or None,
        "issued_at": sheet.issued_at,
        "paid_at": sheet.paid_at,
        "livemode": not sheet.is_sandbox,
        "seller": dict(sheet.seller),
        "customer": dict(sheet.customer),
        "payment": {
            "id": str(sheet.payment_id),
            "kind": sheet.payment_kind,
            "reference": sheet.payment_reference,
        },
        "reason": sheet.reason,
        "currency": sheet.currency,
        "net": amount(sheet.net_micros),
        "tax": {
            "basis": sheet.terms.basis,
            "country": sheet.terms.country or None,
            "name": sheet.terms.name or None,
            "rate": f"{sheet.terms.rate:f}",
            "reason": sheet.terms.reason or None,
            "amount": amount(sheet.tax_micros),
        },
        "total": amount(sheet.total_micros),
        "sha256": sheet.digest,
    }
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2)


FILES: Final[Mapping[str, tuple[str, Callable[[InvoiceSheet], bytes]]]] = {
    "pdf": ("application/pdf", as_pdf),
    "json": ("application/json", as_json),
}


def invoice_file(sheet: InvoiceSheet, kind: str) -> HttpResponse:
    """Return an invoice as a file.

    Raises:
        Http404: There is no such kind.
    """
    if kind not in FILES:
        raise Http404
    content_type, write = FILES[kind]
    disposition = f'attachment; filename="{sheet.kind}-{sheet.number}.{kind}"'
    headers = {"Content-Disposition": disposition, "Cache-Control": "private, no-store"}
    return HttpResponse(write(sheet), content_type=content_type, headers=headers)


def _story(sheet: InvoiceSheet) -> Iterator[Flowable]:
    yield Paragraph(escape(sheet.title), TITLE)
    if sheet.is_sandbox:
        yield Paragraph(escape(_("Sandbox, no real money: this is no invoice.")), SECTION)
    yield two_columns(_seller(sheet), _facts(sheet))
    yield Paragraph(escape(pgettext("invoice", "To")), SECTION)
    yield Paragraph(addressee(sheet.customer), TEXT)
    yield Spacer(0, 14)
    rows = [
        (str(sheet.what), plain_money(sheet.net_micros, sheet.currency)),
        (sheet.tax.name, plain_money(sheet.tax_micros, sheet.currency)),
        (_("Total"), plain_money(sheet.total_micros, sheet.currency)),
    ]
    heads = ["", _("Amount in %(currency)s") % {"currency": sheet.currency}]
    yield table(heads, rows, widths=[70, 30], left=1, is_summed=True)
    yield Spacer(0, 12)
    for note in _notes(sheet):
        yield Paragraph(escape(note), NOTE)


def _seller(sheet: InvoiceSheet) -> str:
    tax_id = sheet.seller["tax_id"]
    parts = [
        sheet.seller["name"],
        sheet.seller["address"],
        _("Tax id: %(id)s") % {"id": tax_id} if tax_id else "",
    ]
    return "<br/>".join(escape(part) for part in parts if part)


def _facts(sheet: InvoiceSheet) -> str:
    how = " · ".join(filter(None, (str(sheet.how), sheet.card.capitalize())))
    parts = [
        _("Issued %(when)s") % {"when": short_instant(sheet.issued_at)},
        _("Paid %(when)s") % {"when": short_instant(sheet.paid_at)} if sheet.paid_at else "",
        sheet.time_zone,
        how,
        sheet.payment_reference,
    ]
    return "<br/>".join(escape(part) for part in parts if part)


def _notes(sheet: InvoiceSheet) -> Iterator[str]:
    if sheet.corrects:
        yield _("Corrects %(number)s.") % {"number": sheet.corrects}
    if sheet.tax.sentence:
        yield sheet.tax.sentence
    yield _("Images are charged to the prepaid credit at net prices; statements show no tax again.")
    yield _("SHA-256 of this document: %(digest)s") % {"digest": sheet.digest}
