"""Addresses of credit notes."""

from typing import Final

from django.urls import path

from billing.console.credit_notes.pages import (
    CreditNoteFileView,
    CreditNotePageView,
    CreditNotesView,
)

CREDIT_NOTES: Final = "o/<uuid:organization_id>/credit-notes"

urlpatterns = [
    path(CREDIT_NOTES, CreditNotesView.as_view(), name="credit_notes"),
    path(f"{CREDIT_NOTES}/<int:number>", CreditNotePageView.as_view(), name="credit_note"),
    path(
        f"{CREDIT_NOTES}/<int:number>/<slug:kind>",
        CreditNoteFileView.as_view(),
        name="credit_note_file",
    ),
]
