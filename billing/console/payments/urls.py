from django.urls import URLPattern, URLResolver, path

from billing.console.payments.automatic import AutoTopUpView, RemoveCardView
from billing.console.payments.pages import (
    AddMoneyTotalView,
    AddMoneyView,
    PaymentPageView,
    PaymentStateView,
    PaymentsView,
)
from billing.console.payments.webhook import StripeWebhookView

_OWN = "o/<uuid:organization_id>/billing"
urlpatterns: list[URLPattern | URLResolver] = [
    path("stripe/webhook", StripeWebhookView.as_view(), name="stripe_webhook"),
    path(f"{_OWN}/add", AddMoneyView.as_view(), name="add_money"),
    path(f"{_OWN}/add/total", AddMoneyTotalView.as_view(), name="add_money_total"),
    path(f"{_OWN}/automatic", AutoTopUpView.as_view(), name="auto_top_up"),
    path(f"{_OWN}/cards/<uuid:card_id>/remove", RemoveCardView.as_view(), name="remove_card"),
    path(f"{_OWN}/payments", PaymentsView.as_view(), name="payments"),
    path(f"{_OWN}/payments/<uuid:payment_id>", PaymentPageView.as_view(), name="payment"),
    path(
        f"{_OWN}/payments/<uuid:payment_id>/state",
        PaymentStateView.as_view(),
        name="payment_state",
    ),
]
