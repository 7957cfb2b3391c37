from django.urls import URLPattern, URLResolver, path

from gateway.console.finance.losses import LossesFileView, LossesView
from gateway.console.finance.margin import MarginFileView, MarginLinesView, MarginView
from gateway.console.finance.overview import OverviewView

REPORTS = "finance/reports"

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{REPORTS}/margin", MarginView.as_view(), name="finance_margin"),
    path(f"{REPORTS}/margin.<str:kind>", MarginFileView.as_view(), name="finance_margin_file"),
    path(f"{REPORTS}/margin/<str:code>", MarginLinesView.as_view(), name="finance_margin_lines"),
    path(f"{REPORTS}/losses", LossesView.as_view(), name="finance_losses"),
    path(f"{REPORTS}/losses.<str:kind>", LossesFileView.as_view(), name="finance_losses_file"),
    path("finance/overview", OverviewView.as_view(), name="finance_overview"),
]
