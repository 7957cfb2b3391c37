from typing import Final

from django.urls import path

from billing.console.taxes.pages import InvoiceFileView, InvoicesView, InvoiceView

INVOICES: Final = "o/<uuid:organization_id>/billing/invoices"

urlpatterns = [
    path(INVOICES, InvoicesView.as_view(), name="invoices"),
    path(f"{INVOICES}/<uuid:invoice_id>", InvoiceView.as_view(), name="invoice"),
    path(
        f"{INVOICES}/<uuid:invoice_id>/<slug:kind>", InvoiceFileView.as_view(), name="invoice_file"
    ),
]
