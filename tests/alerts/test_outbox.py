"""Alerts on what waits to be sent: webhooks and mail."""

from datetime import timedelta

from core.clock import now
from gateway.services.onboarding import open_organization
from orgs.models import Mail
from orgs.services.audit import SYSTEM
from orgs.services.mails import write_mail
from orgs.services.outbox import EventType, write_event
from orgs.services.webhooks import create_endpoint
from tests.alerts.conftest import Platform
from tests.alerts.timeline import alert, assert_fires


def test_a_webhook_that_is_due_and_not_sent_is_told_of(platform: Platform):
    organization = open_organization(name="Hooked", currency="USD")
    kind = EventType.TOPUP_SUCCEEDED
    create_endpoint(
        organization_id=organization.id,
        actor=SYSTEM,
        url="https://93.184.216.34/hook",
        events=[kind.value],
    )
    healthy = platform.state()

    due_at = now() - timedelta(minutes=6)
    assert write_event(organization_id=organization.id, kind=kind, data={"n": 1}, now=due_at)

    assert_fires(alert("WebhooksStuck"), healthy=healthy, then=platform.state(), after=7)


def test_a_mail_that_is_not_sent_is_told_of(platform: Platform):
    healthy = platform.state()

    write_mail(
        kind="invitation",
        recipient="ana@example.com",
        language="en",
        context={},
        now=now(),
    )
    Mail.objects.update(created_at=now() - timedelta(minutes=31))

    assert_fires(alert("MailStuck"), healthy=healthy, then=platform.state(), after=7)
