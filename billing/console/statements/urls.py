"""Addresses of statements."""

from typing import Final

from django.urls import path

from billing.console.statements.pages import StatementFileView, StatementsView, StatementView

STATEMENTS: Final = "o/<uuid:organization_id>/statements"

urlpatterns = [
    path(STATEMENTS, StatementsView.as_view(), name="statements"),
    path(f"{STATEMENTS}/<int:number>", StatementView.as_view(), name="statement"),
    path(
        f"{STATEMENTS}/<int:number>/<slug:kind>",
        StatementFileView.as_view(),
        name="statement_file",
    ),
]
