from django.urls import URLPattern, URLResolver, include, path

from billing.console.alerts import EditAlertView
from billing.console.billing import (
    BalanceSlotView,
    BillingView,
    ChargeView,
    TransactionsCsvView,
    TransactionView,
)
from billing.console.budgets import BudgetsView, EditBudgetView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("billing.console.payments.urls")),
    path("", include("billing.console.finance.urls")),
    path("", include("billing.console.taxes.urls")),
    path("o/<uuid:organization_id>/billing", BillingView.as_view(), name="billing"),
    path(
        "o/<uuid:organization_id>/billing/csv",
        TransactionsCsvView.as_view(),
        name="transactions_csv",
    ),
    path(
        "o/<uuid:organization_id>/billing/alert", EditAlertView.as_view(), name="edit_balance_alert"
    ),
    path(
        "o/<uuid:organization_id>/billing/<uuid:entry_id>",
        TransactionView.as_view(),
        name="transaction",
    ),
    path(
        "o/<uuid:organization_id>/billing/requests/<uuid:generation_id>",
        ChargeView.as_view(),
        name="transaction_of",
    ),
    path("o/<uuid:organization_id>/balance", BalanceSlotView.as_view(), name="balance_slot"),
    path("o/<uuid:organization_id>/budgets", BudgetsView.as_view(), name="budgets"),
    path("o/<uuid:organization_id>/budgets/own", EditBudgetView.as_view(), name="edit_own_budget"),
    path(
        "o/<uuid:organization_id>/budgets/<uuid:api_key_id>",
        EditBudgetView.as_view(),
        name="edit_key_budget",
    ),
    path("", include("billing.console.statements.urls")),
    path("", include("billing.console.credit_notes.urls")),
]
