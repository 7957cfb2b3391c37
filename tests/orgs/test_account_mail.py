"""Mail about accounts is written and sent later: whatever becomes of the mail server."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from core.clock import now
from orgs.models import Mail
from orgs.services import mails

pytestmark = pytest.mark.usefixtures("pages", "committed")
BACKENDS = "django.core.mail.backends"


def send(email: str, at: datetime) -> list[bool]:
    """Make one try of what is due to an address, and say whether it was taken."""
    claimed = mails.claim_mail(limit=1000, now=at)
    return [mails.send_mail(one) for one in claimed if one.recipient == email]


def test_a_mail_server_that_is_away_neither_stops_a_sign_up_nor_loses_its_mail(
    settings: Settings, tmp_path: Path
) -> None:
    cache.clear()
    email = f"{uuid4().hex}@example.com"
    form = {"name": "Ana", "email": email, "password1": "a long enough passphrase"}
    settings.EMAIL_BACKEND = f"{BACKENDS}.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    answer = Client().post("/accounts/signup/", form)
    tries = send(email, now())
    settings.EMAIL_BACKEND = f"{BACKENDS}.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    tries += send(email, now() + timedelta(minutes=2))

    assert answer["Location"] == "/accounts/confirm-email/"
    assert tries == [False, True]
    [written] = tmp_path.glob("*.log")
    assert f"please confirm that {email} is your address" in written.read_text()
    assert bytes(Mail.objects.get(recipient=email).body) == b""
