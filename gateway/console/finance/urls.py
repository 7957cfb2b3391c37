from django.urls import URLPattern, URLResolver, include, path

from gateway.console.finance.changes import ChangePriceView, MarkupsView
from gateway.console.finance.close import CheckLedgerView, CloseView, RevalueView
from gateway.console.finance.costs import CostsView
from gateway.console.finance.imports import ConfirmImportView, ImportPricesView
from gateway.console.finance.losses import LossesFileView, LossesView
from gateway.console.finance.margin import MarginFileView, MarginLinesView, MarginView
from gateway.console.finance.overview import OverviewView
from gateway.console.finance.prices import PriceHistoryView, PricesCsvView, PricesView

PRICES = "finance/prices"
REPORTS = "finance/reports"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("gateway.console.finance.reconciliation.urls")),
    path(PRICES, PricesView.as_view(), name="finance_prices"),
    path(f"{PRICES}/csv", PricesCsvView.as_view(), name="finance_prices_csv"),
    path(f"{PRICES}/history", PriceHistoryView.as_view(), name="finance_price_history"),
    path(f"{PRICES}/costs", CostsView.as_view(), name="finance_costs"),
    path(f"{PRICES}/change", ChangePriceView.as_view(), name="finance_change_price"),
    path(f"{PRICES}/markups", MarkupsView.as_view(), name="finance_markups"),
    path(f"{PRICES}/import", ImportPricesView.as_view(), name="finance_import_prices"),
    path(f"{PRICES}/import/confirm", ConfirmImportView.as_view(), name="finance_confirm_import"),
    path(f"{REPORTS}/margin", MarginView.as_view(), name="finance_margin"),
    path(f"{REPORTS}/margin.<str:kind>", MarginFileView.as_view(), name="finance_margin_file"),
    path(f"{REPORTS}/margin/<str:code>", MarginLinesView.as_view(), name="finance_margin_lines"),
    path(f"{REPORTS}/losses", LossesView.as_view(), name="finance_losses"),
    path(f"{REPORTS}/losses.<str:kind>", LossesFileView.as_view(), name="finance_losses_file"),
    path("finance/overview", OverviewView.as_view(), name="finance_overview"),
    path("finance/close", CloseView.as_view(), name="finance_close"),
    path("finance/close/revalue", RevalueView.as_view(), name="finance_close_revalue"),
    path("finance/close/check", CheckLedgerView.as_view(), name="finance_close_check"),
]
