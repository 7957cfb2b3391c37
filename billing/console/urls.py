from django.urls import URLPattern, URLResolver, path

from billing.console.budgets import BudgetsView, EditBudgetView

urlpatterns: list[URLPattern | URLResolver] = [
    path("o/<uuid:organization_id>/budgets", BudgetsView.as_view(), name="budgets"),
    path("o/<uuid:organization_id>/budgets/own", EditBudgetView.as_view(), name="edit_own_budget"),
    path(
        "o/<uuid:organization_id>/budgets/<uuid:api_key_id>",
        EditBudgetView.as_view(),
        name="edit_key_budget",
    ),
]
