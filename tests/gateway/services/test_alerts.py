"""Operators are told of an opening once, by mail to a real mail server, whatever fails between."""

import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_string, policy

import pytest

from config.env import parse_email_url
from core.clock import now
from gateway.models import Breaker
from gateway.services.alerts import send_due_alerts
from tests.gateway.services.rows import new_name

TO = ["ops@example.com", "lead@example.com"]


class Mailbox(socketserver.ThreadingTCPServer):
    """An SMTP server that keeps what it gets."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[tuple[list[str], str]] = []
        self.is_refusing = False

    def of(self, provider: str) -> list[str]:
        """Return the mails whose subject names a provider."""
        parsed = (message_from_string(text, policy=policy.default) for _, text in self.mails)
        return [one.as_string() for one in parsed if provider in one["subject"]]


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 mailbox")
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "MAIL" and self.server.is_refusing:
                self._say("451 try again later")
            elif verb == "DATA":
                self._say("354 go on")
                self.server.mails.append((recipients, self._text()))
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                if verb == "RCPT":
                    recipients.append(line.partition("<")[2].rstrip(">"))
                self._say("250 ok")

    def _text(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()).rstrip("\r\n") != ".":
            lines.append(line.rstrip("\r\n"))
        return "\n".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def mailbox(settings) -> Iterator[Mailbox]:
    with Mailbox() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        mailer = parse_email_url(f"smtp://127.0.0.1:{server.server_address[1]}")
        settings.EMAIL_BACKEND = mailer.backend
        settings.EMAIL_HOST, settings.EMAIL_PORT = mailer.host, mailer.port
        settings.OPERATOR_EMAILS = TO
        yield server
        server.shutdown()


@pytest.fixture
def provider(db) -> str:
    return new_name()


def open_breaker(provider: str, reason: str, *, seconds_ago: float = 0) -> Breaker:
    opened_at = now() - timedelta(seconds=seconds_ago)
    return Breaker.objects.create(
        provider=provider,
        is_open=True,
        reason=reason,
        failures=5,
        calls=7,
        opened_at=opened_at,
        retry_at=opened_at + timedelta(seconds=5),
        cooldown_s=5,
    )


@pytest.mark.parametrize("reason", ["BadCredentials", "OutOfFunds"])
def test_a_fault_of_our_account_is_told_at_once_and_once(mailbox, provider, reason):
    open_breaker(provider, reason)

    assert [send_due_alerts(now=now()) for _ in range(3)] == [1, 0, 0]

    [mail] = mailbox.of(provider)
    assert f"Reason: {reason}" in mail
    assert "5 of 7" in mail
    assert [to for to, _ in mailbox.mails] == [TO]


def test_an_outage_is_told_when_it_lasts(mailbox, provider):
    breaker = open_breaker(provider, "ProviderUnavailable")

    assert send_due_alerts(now=breaker.opened_at + timedelta(seconds=19)) == 0
    assert send_due_alerts(now=breaker.opened_at + timedelta(seconds=20)) == 1
    assert send_due_alerts(now=breaker.opened_at + timedelta(hours=1)) == 0

    assert len(mailbox.of(provider)) == 1


def test_an_outage_that_is_over_is_not_told(mailbox, provider):
    breaker = open_breaker(provider, "ProviderUnavailable", seconds_ago=60)
    Breaker.objects.filter(provider=provider).update(is_open=False, closed_at=breaker.retry_at)

    assert send_due_alerts(now=now()) == 0


def test_a_mail_server_that_refuses_is_tried_again(mailbox, provider):
    open_breaker(provider, "OutOfFunds")
    mailbox.is_refusing = True
    assert send_due_alerts(now=now()) == 0
    mailbox.is_refusing = False

    assert send_due_alerts(now=now() + timedelta(seconds=30)) == 0
    assert send_due_alerts(now=now() + timedelta(seconds=61)) == 1

    assert len(mailbox.of(provider)) == 1


def test_the_next_opening_is_told_again(mailbox, provider):
    open_breaker(provider, "OutOfFunds")
    send_due_alerts(now=now())
    Breaker.objects.filter(provider=provider).delete()
    open_breaker(provider, "BadCredentials")

    assert send_due_alerts(now=now()) == 1
    assert len(mailbox.of(provider)) == 2


def test_without_operators_nothing_is_sent(mailbox, provider, settings):
    settings.OPERATOR_EMAILS = []
    open_breaker(provider, "OutOfFunds")

    assert send_due_alerts(now=now()) == 0
    assert mailbox.mails == []


def test_mail_may_be_kept_in_files(provider, settings, tmp_path):
    mailer = parse_email_url(f"file://{tmp_path}/outbox")
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = mailer.backend, mailer.folder
    settings.OPERATOR_EMAILS = TO
    open_breaker(provider, "OutOfFunds")

    send_due_alerts(now=now())

    [kept] = (tmp_path / "outbox").iterdir()
    assert f"Subject: [Lienzo] {provider} says" in kept.read_text()
