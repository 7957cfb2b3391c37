"""URLs of the API."""

from django.urls import path

from gateway.api.generations import (
    EditsView,
    GenerationsView,
    GenerationView,
    VariationsView,
)
from gateway.api.media import public_image
from gateway.api.quotes import QuotesView
from gateway.api.reference.views import AssetView, DocumentView, GuideView, PageView
from gateway.api.usage import UsageView
from gateway.api.views import (
    BalanceView,
    HealthView,
    ModelsView,
    ModelView,
    ReadinessView,
)
from gateway.api.webhooks import (
    RedeliveryView,
    WebhookDeliveriesView,
    WebhookSecretView,
    WebhooksView,
    WebhookTestView,
    WebhookView,
)

urlpatterns = [
    path("v1/images/generations", GenerationsView.as_view()),
    path("v1/images/generations/<str:generation_id>", GenerationView.as_view()),
    path("v1/images/edits", EditsView.as_view()),
    path("v1/images/variations", VariationsView.as_view()),
    path("v1/images/quotes", QuotesView.as_view()),
    path("v1/models", ModelsView.as_view()),
    path("v1/models/<path:model_id>", ModelView.as_view()),
    path("v1/balance", BalanceView.as_view()),
    path("v1/usage", UsageView.as_view()),
    path("v1/webhooks", WebhooksView.as_view()),
    path("v1/webhooks/<str:webhook>", WebhookView.as_view()),
    path("v1/webhooks/<str:webhook>/test", WebhookTestView.as_view()),
    path("v1/webhooks/<str:webhook>/rotate_secret", WebhookSecretView.as_view()),
    path("v1/webhooks/<str:webhook>/deliveries", WebhookDeliveriesView.as_view()),
    path("v1/webhooks/<str:webhook>/deliveries/<str:delivery>/redeliver", RedeliveryView.as_view()),
    path("openapi.json", DocumentView.as_view()),
    path("docs", PageView.as_view()),
    path("docs/assets/<str:name>", AssetView.as_view()),
    path("llms.txt", GuideView.as_view()),
    path("healthz", HealthView.as_view()),
    path("readyz", ReadinessView.as_view()),
    path("generated-images/<path:path>", public_image),
]
