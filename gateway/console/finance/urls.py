from django.urls import URLPattern, URLResolver, path

from gateway.console.finance.margin import MarginFileView, MarginLinesView, MarginView

REPORTS = "finance/reports"

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{REPORTS}/margin", MarginView.as_view(), name="finance_margin"),
    path(f"{REPORTS}/margin.<str:kind>", MarginFileView.as_view(), name="finance_margin_file"),
    path(f"{REPORTS}/margin/<str:code>", MarginLinesView.as_view(), name="finance_margin_lines"),
]
