"""Celery tasks. Messages carry no job: they say where there is work, and what is due."""

from datetime import timedelta

from celery import shared_task

from billing.services.statements.issuing import advance_drafts, issue_due_statements
from core.clock import now
from gateway.services.alerts import send_due_alerts
from gateway.services.breakers import ALERT_TASK
from gateway.services.gallery.exports import TASK as EXPORTS_TASK
from gateway.services.gallery.exports import expire_exports, make_exports
from gateway.services.gallery.retention import enforce_retention
from gateway.services.gallery.thumbnails import TASK as THUMBNAILS_TASK
from gateway.services.gallery.thumbnails import make_thumbnails
from gateway.services.inputs import delete_orphaned_inputs
from gateway.services.operations.checks import LEDGER_TASK, TASKS, check_ledger, note_pass
from gateway.services.purging import purge_due_organizations
from gateway.services.requests.generations import IDEMPOTENCY_TTL
from gateway.services.retention import (
    delete_expired_test_generations,
    prune_idempotency_keys,
    prune_quotes,
)
from gateway.worker import worker
from orgs.services.mails import prune_mail
from orgs.services.webhooks import prune_deliveries

TEST_RETENTION = timedelta(days=7)
QUOTE_RETENTION = timedelta(days=1)


@shared_task(name="gateway.generate", ignore_result=True)
def generate(*, queue: str, **_: object) -> None:
    """Run queued generations of a queue until no slot or no work is left."""
    worker().drain(queue)


@shared_task(name="gateway.prune_idempotency_keys", ignore_result=True)
def prune_idempotency_keys_task(**_: object) -> None:
    """Forget idempotency keys past their lifetime."""
    prune_idempotency_keys(before=now() - IDEMPOTENCY_TTL)


@shared_task(name="gateway.prune_quotes", ignore_result=True)
def prune_quotes_task(**_: object) -> None:
    """Forget quotes a day after their end."""
    prune_quotes(before=now() - QUOTE_RETENTION)


@shared_task(name="gateway.delete_expired_test_generations", ignore_result=True)
def delete_expired_test_generations_task(**_: object) -> None:
    """Delete what test keys made more than seven days ago."""
    delete_expired_test_generations(before=now() - TEST_RETENTION)


@shared_task(name="gateway.enforce_retention", ignore_result=True)
def enforce_retention_task(**_: object) -> None:
    """Delete images and prompts that are past their organization's retention."""
    enforce_retention(now=now())


@shared_task(name="gateway.delete_orphaned_inputs", ignore_result=True)
def delete_orphaned_inputs_task(**_: object) -> None:
    """Delete images sent along with requests that never became generations."""
    delete_orphaned_inputs(now=now())


@shared_task(name="gateway.prune_webhook_deliveries", ignore_result=True)
def prune_webhook_deliveries_task(**_: object) -> None:
    """Forget deliveries of webhooks, and mail, that are past their time."""
    prune_deliveries(now=now())
    prune_mail(now=now())


@shared_task(name="gateway.purge_organizations", ignore_result=True)
def purge_organizations_task(**_: object) -> None:
    """Purge organizations whose time to cancel their deletion has passed."""
    purge_due_organizations(now=now())


@shared_task(name=ALERT_TASK, ignore_result=True)
def send_alerts(**_: object) -> None:
    """Tell the operators of breakers that opened, and that this queue has a worker."""
    note_pass(name=TASKS, started_at=now(), finished_at=now())
    send_due_alerts(now=now())


@shared_task(name=LEDGER_TASK, ignore_result=True)
def check_ledger_task(**_: object) -> None:
    """Check the ledger, if that is due or was asked for."""
    check_ledger(now=now())


@shared_task(name="billing.issue_statements", ignore_result=True)
def issue_statements_task(**_: object) -> None:
    """Issue the statements of months that have ended, and add up the running ones."""
    issue_due_statements(now=now())
    advance_drafts(now=now())


@shared_task(name=THUMBNAILS_TASK, ignore_result=True)
def make_thumbnails_task(**_: object) -> None:
    """Make the thumbnails that are ordered."""
    make_thumbnails()


@shared_task(name=EXPORTS_TASK, ignore_result=True)
def make_exports_task(**_: object) -> None:
    """Make the exports that are ordered, and delete those past their time."""
    expire_exports(now=now())
    make_exports()
