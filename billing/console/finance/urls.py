from django.urls import URLPattern, URLResolver, include, path

from billing.console.finance.topups import (
    RecordTransferView,
    TopUpsView,
    TopUpView,
    UnmatchedView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("billing.console.finance.reports.urls")),
    path("finance/top-ups", TopUpsView.as_view(), name="finance_topups"),
    path("finance/top-ups/transfer", RecordTransferView.as_view(), name="finance_transfer"),
    path("finance/top-ups/<uuid:payment_id>", TopUpView.as_view(), name="finance_topup"),
    path(
        "finance/top-ups/unmatched/<str:reference>",
        UnmatchedView.as_view(),
        name="finance_unmatched",
    ),
]
