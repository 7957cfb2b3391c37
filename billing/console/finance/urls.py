from django.urls import URLPattern, URLResolver, include, path

from billing.console.finance.grants import GrantDetailView, GrantsView, NewGrantView
from billing.console.finance.payouts import BookPayoutView, StripeReportView
from billing.console.finance.rates import (
    CandidateView,
    EndRateView,
    FetchRatesView,
    NewRateView,
    RatesView,
    RateView,
)
from billing.console.finance.taxes import NewTaxRateView, TaxesView, TaxProfileView
from billing.console.finance.topups import (
    RecordTransferView,
    TopUpsView,
    TopUpView,
    UnmatchedView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("billing.console.finance.reports.urls")),
    path("", include("billing.console.finance.refunds.urls")),
    path("finance/top-ups", TopUpsView.as_view(), name="finance_topups"),
    path("finance/top-ups/transfer", RecordTransferView.as_view(), name="finance_transfer"),
    path("finance/top-ups/<uuid:payment_id>", TopUpView.as_view(), name="finance_topup"),
    path(
        "finance/top-ups/unmatched/<str:reference>",
        UnmatchedView.as_view(),
        name="finance_unmatched",
    ),
    path("finance/credit", GrantsView.as_view(), name="finance_grants"),
    path("finance/credit/new", NewGrantView.as_view(), name="finance_grant_new"),
    path("finance/credit/<uuid:grant_id>", GrantDetailView.as_view(), name="finance_grant"),
    path("finance/taxes", TaxesView.as_view(), name="finance_taxes"),
    path("finance/taxes/new", NewTaxRateView.as_view(), name="finance_tax_new"),
    path(
        "finance/taxes/organizations/<uuid:organization_id>",
        TaxProfileView.as_view(),
        name="finance_tax_profile",
    ),
    path("finance/reconciliation/stripe", StripeReportView.as_view(), name="finance_stripe_report"),
    path("finance/reconciliation/payout", BookPayoutView.as_view(), name="finance_payout"),
    path("finance/rates", RatesView.as_view(), name="finance_rates"),
    path("finance/rates/new", NewRateView.as_view(), name="finance_rate_new"),
    path("finance/rates/fetch", FetchRatesView.as_view(), name="finance_rates_fetch"),
    path(
        "finance/rates/aside/<int:candidate_id>",
        CandidateView.as_view(),
        name="finance_rate_candidate",
    ),
    path("finance/rates/<str:base>/<str:quote>", RateView.as_view(), name="finance_rate"),
    path(
        "finance/rates/<str:base>/<str:quote>/end", EndRateView.as_view(), name="finance_rate_end"
    ),
]
