from django.urls import URLPattern, URLResolver, path

from billing.console.finance.reports.cutoffs import CutoffsFileView, CutoffsView
from billing.console.finance.reports.holds import HoldsFileView, HoldsView
from billing.console.finance.reports.journal import JournalFileView, JournalView
from billing.console.finance.reports.liability import LiabilityFileView, LiabilityView
from billing.console.finance.reports.tax import (
    FinanceInvoiceFileView,
    FinanceInvoiceView,
    TaxFileView,
    TaxInvoicesFileView,
    TaxInvoicesView,
    TaxView,
)
from billing.console.finance.reports.trial_balance import (
    AccountFileView,
    AccountView,
    EntryView,
    PostingsView,
    TrialBalanceFileView,
    TrialBalanceView,
)

REPORTS = "finance/reports"
ACCOUNT = f"{REPORTS}/accounts/<str:code>/<str:currency>"

urlpatterns: list[URLPattern | URLResolver] = [
    path(REPORTS, TrialBalanceView.as_view(), name="finance_reports"),
    path(
        f"{REPORTS}/trial-balance.<str:kind>",
        TrialBalanceFileView.as_view(),
        name="finance_trial_balance_file",
    ),
    path(ACCOUNT, AccountView.as_view(), name="finance_account"),
    path(f"{ACCOUNT}/postings", PostingsView.as_view(), name="finance_postings"),
    path(f"{ACCOUNT}/days.<str:kind>", AccountFileView.as_view(), name="finance_account_file"),
    path(f"{REPORTS}/entries/<uuid:entry_id>", EntryView.as_view(), name="finance_entry"),
    path(f"{REPORTS}/journal", JournalView.as_view(), name="finance_journal"),
    path(f"{REPORTS}/journal.<str:kind>", JournalFileView.as_view(), name="finance_journal_file"),
    path(f"{REPORTS}/liability", LiabilityView.as_view(), name="finance_liability"),
    path(
        f"{REPORTS}/liability.<str:kind>",
        LiabilityFileView.as_view(),
        name="finance_liability_file",
    ),
    path(f"{REPORTS}/cut-offs", CutoffsView.as_view(), name="finance_cutoffs"),
    path(f"{REPORTS}/cut-offs.<str:kind>", CutoffsFileView.as_view(), name="finance_cutoffs_file"),
    path(f"{REPORTS}/holds", HoldsView.as_view(), name="finance_holds"),
    path(f"{REPORTS}/holds.<str:kind>", HoldsFileView.as_view(), name="finance_holds_file"),
    path(f"{REPORTS}/tax", TaxView.as_view(), name="finance_tax"),
    path(f"{REPORTS}/tax.<str:kind>", TaxFileView.as_view(), name="finance_tax_file"),
    path(f"{REPORTS}/tax/invoices", TaxInvoicesView.as_view(), name="finance_tax_invoices"),
    path(
        f"{REPORTS}/tax/invoices.<str:kind>",
        TaxInvoicesFileView.as_view(),
        name="finance_tax_invoices_file",
    ),
    path(
        "finance/invoices/<uuid:invoice_id>", FinanceInvoiceView.as_view(), name="finance_invoice"
    ),
    path(
        "finance/invoices/<uuid:invoice_id>/<slug:kind>",
        FinanceInvoiceFileView.as_view(),
        name="finance_invoice_file",
    ),
]
