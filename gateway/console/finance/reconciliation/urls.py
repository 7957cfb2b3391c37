from django.urls import URLPattern, URLResolver, path

from gateway.console.finance.reconciliation.differences import DifferenceView
from gateway.console.finance.reconciliation.files import (
    FileView,
    ImportFileView,
    ReconciliationView,
)
from gateway.console.finance.reconciliation.payments import RecordPaymentView, WaiverView

HOME = "finance/reconciliation"

urlpatterns: list[URLPattern | URLResolver] = [
    path(HOME, ReconciliationView.as_view(), name="finance_reconciliation"),
    path(f"{HOME}/import", ImportFileView.as_view(), name="finance_reconciliation_import"),
    path(f"{HOME}/payment", RecordPaymentView.as_view(), name="finance_reconciliation_payment"),
    path(f"{HOME}/waiver", WaiverView.as_view(), name="finance_reconciliation_waiver"),
    path(f"{HOME}/files/<uuid:import_id>", FileView.as_view(), name="finance_reconciliation_file"),
    path(
        f"{HOME}/differences/<uuid:difference_id>",
        DifferenceView.as_view(),
        name="finance_reconciliation_difference",
    ),
]
