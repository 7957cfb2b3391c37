"""Mail that was not sent but kept in files, on one machine: read it here."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from orgs.selectors import User

NEWEST = 50
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as it is shown."""

    sent: str
    to: str
    subject: str
    body: str


class OutboxView(View):
    """Shows the newest mails: to whoever is on the machine, or is an operator of the platform.

    They have links that sign people in, so where other machines reach this one nobody else may.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them."""
        if not settings.EMBEDDED or not settings.EMAIL_FILE_PATH:
            raise Http404
        if not is_open_to(request.user):
            raise Http404
        return render(request, "console/outbox.html", {"mails": _read(settings.EMAIL_FILE_PATH)})


def is_open_to(user: object) -> bool:
    """Return whether somebody, signed in or not, may read the mail."""
    is_operator = isinstance(user, User) and user.staff_role == User.StaffRole.OPERATOR
    return is_operator or settings.HOST in LOOPBACK


def _read(folder: str) -> list[Mail]:
    """Return the newest messages of the folder, newest first."""
    files = sorted(Path(folder).glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    found: list[Mail] = []
    for path in files[:NEWEST]:
        text = path.read_bytes()
        # The backend writes each message and then a line of dashes.
        parts = reversed(text.split(b"\n" + b"-" * 79))
        found.extend(_parse(part.lstrip()) for part in parts if part.strip())
    return found[:NEWEST]


def _parse(part: bytes) -> Mail:
    message = email.message_from_bytes(part, _class=EmailMessage, policy=email.policy.default)
    body = message.get_body(preferencelist=("plain",))
    return Mail(
        sent=str(message["Date"] or ""),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        body=str(body.get_content()) if isinstance(body, EmailMessage) else "",
    )
