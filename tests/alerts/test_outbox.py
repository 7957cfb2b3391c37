"""Alerts on what waits to be sent: webhooks and mail."""

from datetime import timedelta

import pytest

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


def write_mails(*recipients: str) -> None:
    for recipient in recipients:
        write_mail(kind="invitation", recipient=recipient, language="en", context={}, now=now())
    Mail.objects.update(created_at=now() - timedelta(minutes=31))


def fail(error: str) -> None:
    """Leave mail that waits as a try in vain does."""
    next_at = now() + timedelta(minutes=30)
    Mail.objects.filter(status="pending").update(failures=4, error=error, next_at=next_at)


def test_a_mail_that_nobody_sends_is_told_of(platform: Platform):
    healthy = platform.state()

    write_mails("ana@example.com")

    assert_fires(alert("MailStuck"), healthy=healthy, then=platform.state(), after=7)


@pytest.mark.parametrize(
    ("recipients", "error"),
    [
        (["ana@example.com"], "ConnectionRefusedError"),
        (["ana@example.com", "bo@example.com"], "SMTPRecipientsRefused"),
    ],
)
def test_mail_of_which_the_server_takes_none_is_told_of(
    platform: Platform, recipients: list[str], error: str
):
    healthy = platform.state()

    write_mails(*recipients)
    fail(error)

    assert_fires(alert("MailStuck"), healthy=healthy, then=platform.state(), after=7)


def test_mail_that_an_address_does_not_take_yet_wakes_nobody(platform: Platform):
    """First there is nothing to compare it with, then another address gets its mail."""
    write_mails("ana@full.example")
    fail("SMTPRecipientsRefused")
    ages = [platform.mail_age_s()]

    write_mails("bo@full.example")
    fail("SMTPRecipientsRefused")
    ages.append(platform.mail_age_s())
    sent = {"status": "sent", "next_at": None, "ended_at": now(), "failures": 0, "error": ""}
    write_mails("cy@example.com")
    Mail.objects.filter(recipient="cy@example.com").update(**sent)
    ages.append(platform.mail_age_s())

    assert [round(age / 60) for age in ages] == [0, 31, 0]
