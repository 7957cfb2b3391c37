"""Telling the operators by mail of a provider's breaker, once for each opening.

A fault of our account is told at once, an outage when it lasts. An opening is claimed before the
mail is sent and marked after it, so two tasks do not both send it, and a mail server that is away
is tried again.
"""

import logging
import smtplib
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q

from gateway.models import Breaker
from gateway.providers.errors import (
    BadCredentials,
    BadResponse,
    OutOfFunds,
    ProviderTimedOut,
    ProviderUnavailable,
)
from gateway.services.breakers import ACCOUNT_FAULTS
from gateway.storage import release_connections

OUTAGE_LASTS: Final = timedelta(seconds=20)
# Longer than sending takes, shorter than an operator should wait for the second try.
CLAIM_LASTS: Final = timedelta(seconds=60)
# What nobody could be told within this time is old news.
NEWS_LASTS: Final = timedelta(hours=24)
_ACCOUNT_REASONS: Final = frozenset(kind.__name__ for kind in ACCOUNT_FAULTS)
_WHAT: Final = {
    BadCredentials.__name__: "does not accept our key",
    OutOfFunds.__name__: "says our account has no money left",
    ProviderUnavailable.__name__: "is unavailable",
    ProviderTimedOut.__name__: "does not answer",
    BadResponse.__name__: "sends no usable images",
}
_ACT: Final = {
    BadCredentials.__name__: "Set a valid key and restart web and workers.",
    OutOfFunds.__name__: "Add money to the account; the next probing call closes the breaker.",
}
logger = logging.getLogger(__name__)


def send_due_alerts(*, now: datetime) -> int:
    """Send a mail for each opening that is due and not told; return how many were sent.

    No connection is held while the mail server is talked to.
    """
    if not settings.OPERATOR_EMAILS:
        return 0
    return sum(_send(breaker, now) for breaker in _due(now) if _claim(breaker, now))


def _due(now: datetime) -> list[Breaker]:
    account = Q(reason__in=_ACCOUNT_REASONS, opened_at__gt=now - NEWS_LASTS)
    lasting = Q(is_open=True, opened_at__lte=now - OUTAGE_LASTS)
    unclaimed = Q(alert_claimed_at__isnull=True) | Q(alert_claimed_at__lte=now - CLAIM_LASTS)
    return list(Breaker.objects.filter(account | lasting, unclaimed, alerted_at__isnull=True))


def _claim(breaker: Breaker, now: datetime) -> bool:
    """Take the telling of this opening, if it was not taken since it was read."""
    unchanged = Breaker.objects.filter(
        provider=breaker.provider,
        opened_at=breaker.opened_at,
        reason=breaker.reason,
        alerted_at__isnull=True,
    )
    before = breaker.alert_claimed_at
    return bool(unchanged.filter(alert_claimed_at=before).update(alert_claimed_at=now))


def _send(breaker: Breaker, now: datetime) -> bool:
    subject, body = _message(breaker)
    release_connections()
    try:
        send_mail(subject, body, from_email=None, recipient_list=settings.OPERATOR_EMAILS)
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("alert.not_sent provider=%s error=%s", breaker.provider, error)
        return False
    Breaker.objects.filter(
        provider=breaker.provider, opened_at=breaker.opened_at, reason=breaker.reason
    ).update(alerted_at=now)
    logger.info("alert.sent provider=%s reason=%s", breaker.provider, breaker.reason)
    return True


def _message(breaker: Breaker) -> tuple[str, str]:
    what = _WHAT.get(breaker.reason, f"fails ({breaker.reason})")
    since = f"{breaker.opened_at:%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"The provider {breaker.provider} {what}. Since {since} its breaker keeps calls away",
        "from it; requests go to other routes where there are any.",
        "",
        f"Reason: {breaker.reason}",
        f"Failed calls of the minute before: {breaker.failures} of {breaker.calls}",
        f"The breaker now: {_now(breaker)}",
        "",
        _ACT.get(breaker.reason, "It closes by itself once a probing call succeeds."),
        "What is going on: manage.py provider_health",
    ]
    return f"[Lienzo] {breaker.provider} {what}", "\n".join(lines)


def _now(breaker: Breaker) -> str:
    if not breaker.is_open:
        return "closed again"
    return f"open, next probe from {breaker.retry_at:%H:%M:%S} UTC on"
