"""Operators' pages of the platform itself, not of one organization."""

from django.urls import URLPattern, URLResolver, path

from gateway.console.operations import findings, models, providers, queues

MODELS = "operations/models"
PROVIDERS = "operations/providers"
FINDINGS = "operations/findings"

urlpatterns: list[URLPattern | URLResolver] = [
    path(MODELS, models.ModelsView.as_view(), name="operations_models"),
    path(
        f"{MODELS}/<path:model_id>/price", models.PriceView.as_view(), name="operations_set_price"
    ),
    path(f"{MODELS}/<path:model_id>", models.ModelView.as_view(), name="operations_model"),
    path(PROVIDERS, providers.ProvidersView.as_view(), name="operations_providers"),
    path(
        f"{PROVIDERS}/<slug:provider>", providers.ProviderView.as_view(), name="operations_provider"
    ),
    path(
        f"{PROVIDERS}/<slug:provider>/pause",
        providers.PauseView.as_view(),
        name="operations_pause_provider",
    ),
    path(
        f"{PROVIDERS}/<slug:provider>/resume",
        providers.ResumeView.as_view(),
        name="operations_resume_provider",
    ),
    path(
        f"{PROVIDERS}/<slug:provider>/probe",
        providers.ProbeView.as_view(),
        name="operations_probe_provider",
    ),
    path("operations/queues", queues.QueuesView.as_view(), name="operations_queues"),
    path(FINDINGS, findings.FindingsView.as_view(), name="operations_findings"),
    path(f"{FINDINGS}/check", findings.CheckNowView.as_view(), name="operations_check_now"),
    path(
        f"{FINDINGS}/<uuid:finding_id>", findings.FindingsView.as_view(), name="operations_finding"
    ),
    path(
        f"{FINDINGS}/<uuid:finding_id>/acknowledge",
        findings.AcknowledgeView.as_view(),
        name="operations_acknowledge",
    ),
]
