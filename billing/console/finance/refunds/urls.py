from django.urls import URLPattern, URLResolver, path

from billing.console.finance.refunds.adjustments import AdjustmentView, AskAdjustmentView
from billing.console.finance.refunds.pages import AskRefundView, RefundsView, RefundView

REFUNDS = "finance/refunds"

urlpatterns: list[URLPattern | URLResolver] = [
    path(REFUNDS, RefundsView.as_view(), name="finance_refunds"),
    path(f"{REFUNDS}/<uuid:refund_id>", RefundView.as_view(), name="finance_refund"),
    path(f"{REFUNDS}/of/<uuid:generation_id>", AskRefundView.as_view(), name="finance_refund_ask"),
    path(f"{REFUNDS}/adjustments/new", AskAdjustmentView.as_view(), name="finance_adjustment_ask"),
    path(
        f"{REFUNDS}/adjustments/<uuid:adjustment_id>",
        AdjustmentView.as_view(),
        name="finance_adjustment",
    ),
]
