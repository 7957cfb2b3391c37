"""Mail: written with what causes it, sent by the dispatcher, tried again for a day.

A message is sent at least once, under one `Message-ID`, by which a repetition is known.
"""

import logging
import random
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection
from django.template.loader import render_to_string

from core.clock import now as clock_now
from core.ids import new_uuid
from orgs.models import Mail, Organization
from orgs.services.signing import SecretUnreadableError, seal, unseal

# Longer than a mail server may take (EMAIL_TIMEOUT for each step of its protocol).
LEASE: Final = timedelta(minutes=3)
RETRIES_LAST: Final = timedelta(hours=24)
KEPT: Final = timedelta(days=30)
PAUSES_S: Final = (30, 120, 600, 1800, 3600)
_JITTER: Final = 0.2
_PERMANENT: Final = 500
logger = logging.getLogger(__name__)

_CLAIM: Final = """
WITH due AS (
    SELECT id FROM orgs_mail
    WHERE status = 'pending' AND next_at <= %(now)s
    ORDER BY next_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE orgs_mail AS mail SET claim_token = %(token)s, next_at = %(leased_until)s
FROM due WHERE mail.id = due.id
RETURNING mail.id, mail.recipient, mail.subject, mail.body, mail.failures, mail.give_up_at
"""


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """A message this process is to send."""

    id: UUID
    token: UUID
    recipient: str
    subject: str
    sealed_body: bytes
    failures: int
    give_up_at: datetime


def write_mail(
    *,
    kind: str,
    recipient: str,
    language: str,
    context: Mapping[str, object],
    now: datetime,
    organization_id: UUID | None = None,
) -> Mail:
    """Write a message, to be sent after the commit. Joins the caller's transaction.

    Args:
        kind: Names the text, `orgs/mail/<kind>.<language>.txt`: the subject on its first line.
        recipient: One address.
        language: A language of `Organization.Language`; any other is English.
        context: What the text says.
        now: When.
        organization_id: Whose, for the purge.
    """
    spoken = language if language in Organization.Language.values else "en"
    text = render_to_string(f"orgs/mail/{kind}.{spoken}.txt", dict(context))
    subject, _, body = text.partition("\n")
    return Mail.objects.create(
        organization_id=organization_id,
        kind=kind,
        recipient=recipient,
        subject=" ".join(subject.split()),
        body=seal(body.strip() + "\n"),
        next_at=now,
        give_up_at=now + RETRIES_LAST,
    )


def claim_mail(*, limit: int, now: datetime) -> list[ClaimedMail]:
    """Lease messages that are due, oldest first. One statement."""
    token = new_uuid()
    params: dict[str, Any] = {
        "now": now,
        "limit": limit,
        "token": token,
        "leased_until": now + LEASE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, params)
        return [
            ClaimedMail(
                id=row[0],
                token=token,
                recipient=row[1],
                subject=row[2],
                sealed_body=bytes(row[3]),
                failures=row[4],
                give_up_at=row[5],
            )
            for row in cursor.fetchall()
        ]


def send_mail(claimed: ClaimedMail) -> bool:
    """Make one try and record it; return whether the mail server took the message.

    No connection is held while the server is talked to.
    """
    connection.close()
    try:
        _message(claimed).send()
    except SecretUnreadableError:
        # A setting is wrong, WEBHOOK_ENCRYPTION_KEYS or SECRET_KEY; nothing will decrypt it.
        logger.error("mail.unreadable mail=%s", claimed.id)  # noqa: TRY400 - no traceback
        return _end(claimed, Mail.Status.FAILED, "unreadable")
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return _failed(claimed, error)
    logger.info("mail.sent mail=%s", claimed.id)
    _end(claimed, Mail.Status.SENT, "")
    return True


def prune_mail(*, now: datetime) -> int:
    """Delete messages that ended before `KEPT`; return how many."""
    return Mail.objects.filter(ended_at__lt=now - KEPT).delete()[0]


def _message(claimed: ClaimedMail) -> EmailMessage:
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return EmailMessage(
        subject=claimed.subject,
        body=unseal(claimed.sealed_body),
        to=[claimed.recipient],
        headers={"Message-ID": f"<{claimed.id.hex}@{domain}>", "Auto-Submitted": "auto-generated"},
    )


def _failed(claimed: ClaimedMail, error: Exception) -> bool:
    moment = clock_now()
    name = type(error).__name__
    logger.warning("mail.not_sent mail=%s error=%s", claimed.id, name)
    if moment >= claimed.give_up_at or _is_permanent(error):
        return _end(claimed, Mail.Status.FAILED, name)
    seconds = PAUSES_S[min(claimed.failures, len(PAUSES_S) - 1)]
    pause = timedelta(seconds=seconds * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311
    _update(
        claimed,
        failures=claimed.failures + 1,
        error=name,
        claim_token=None,
        next_at=min(moment + pause, claimed.give_up_at),
    )
    return False


def _is_permanent(error: Exception) -> bool:
    """Say whether the server refuses this message for good, or it cannot be one."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= _PERMANENT for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code >= _PERMANENT
    return isinstance(error, ValueError)


def _end(claimed: ClaimedMail, status: Mail.Status, error: str) -> bool:
    _update(
        claimed,
        status=status,
        error=error,
        body=b"",
        claim_token=None,
        next_at=None,
        ended_at=clock_now(),
    )
    return False


def _update(claimed: ClaimedMail, **values: Any) -> None:  # noqa: ANN401 - of columns
    try:
        Mail.objects.filter(id=claimed.id, claim_token=claimed.token).update(**values)
    finally:
        connection.close()
