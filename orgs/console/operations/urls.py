from django.urls import URLPattern, URLResolver, path

from orgs.console.operations.audit import PlatformAuditExportView, PlatformAuditView

urlpatterns: list[URLPattern | URLResolver] = [
    path("operations/audit-log", PlatformAuditView.as_view(), name="operations_audit"),
    path(
        "operations/audit-log/export",
        PlatformAuditExportView.as_view(),
        name="operations_audit_export",
    ),
    path(
        "operations/audit-log/<uuid:event_id>",
        PlatformAuditView.as_view(),
        name="operations_audit_event",
    ),
]
