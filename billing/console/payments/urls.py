from django.urls import URLPattern, URLResolver, path

from billing.console.payments.webhook import StripeWebhookView

urlpatterns: list[URLPattern | URLResolver] = [
    path("stripe/webhook", StripeWebhookView.as_view(), name="stripe_webhook"),
]
