"""Invitations, and the mail that carries them."""

import re
import threading
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import connection

from core.clock import now
from orgs.errors import (
    AlreadyMemberError,
    InvalidInputError,
    InvitationExpiredError,
    InvitationForAnotherError,
    InvitationNotFoundError,
    InvitationRevokedError,
    InvitationUsedError,
    PermissionDeniedError,
)
from orgs.models import Invitation, Mail
from orgs.services import mails
from orgs.services.invitations import accept, invite, resend, revoke
from tests.orgs.people import Team

BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def link_to(token: str) -> str:
    return f"https://lienzo.example/join/{token}"


def send(at=None) -> list[bool]:
    """Make one try of everything that is due, and return whether each was taken."""
    claimed = mails.claim_mail(limit=100, now=at or now())
    return [mails.send_mail(one) for one in claimed]


@pytest.fixture
def team(committed, settings) -> Team:
    settings.EMAIL_BACKEND = BACKEND
    outbox.outbox = []
    Mail.objects.filter(status="pending").delete()
    return Team.open()


@pytest.fixture
def owner(team):
    return team.person("owner")


def offer(team, actor, *, email=None, role="developer", language="en", at=None):
    """Invite someone; return the invitation and the token of the mail."""
    invitation = invite(
        organization_id=team.organization.id,
        email=email or f"{actor.user.id.hex}.guest@example.com",
        role=role,
        language=language,
        link_to=link_to,
        actor=actor.actor,
        now=at or now(),
    )
    return invitation, read_token()


def read_token() -> str:
    assert send() == [True]
    [token] = re.findall(r"/join/(\S+)", str(outbox.outbox[-1].body))
    return str(token)


def join(token, guest, *, verified=None, at=None):
    return accept(
        token=token,
        user=guest.user,
        verified_emails=verified if verified is not None else [guest.user.email],
        actor=guest.actor,
        now=at or now(),
    )


def test_invited_person_joins_once(team, owner):
    guest, other = team.person(), team.person()
    invitation, token = offer(team, owner, email=guest.user.email.upper())

    assert bytes(invitation.digest) not in token.encode()
    with pytest.raises(InvitationForAnotherError, match=re.escape(invitation.email)):
        join(token, other)
    with pytest.raises(InvitationForAnotherError):
        join(token, guest, verified=[])
    assert join(token, guest).role == "developer"
    with pytest.raises(InvitationUsedError):
        join(token, guest)
    with pytest.raises(InvitationNotFoundError):
        join(token + "x", guest)
    with pytest.raises(AlreadyMemberError):
        offer(team, owner, email=guest.user.email)

    assert team.role(guest) == "developer"
    assert team.log()[-3:] == ["invitation.created", "member.added", "invitation.accepted"]


def test_two_at_once_join_once(team, owner):
    guest = team.person()
    _, token = offer(team, owner, email=guest.user.email)
    start, outcomes = threading.Barrier(2), []

    def run():
        start.wait(10)
        try:
            join(token, guest)
            outcomes.append("joined")
        except InvitationUsedError:
            outcomes.append("used")
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(outcomes) == ["joined", "used"]
    assert team.log().count("member.added") == 2  # the owner, and the guest once


def test_expired_and_revoked_invitations_admit_nobody(team, owner):
    guest, late = team.person(), team.person()
    revoked, token = offer(team, owner, email=guest.user.email)
    _, old = offer(team, owner, email=late.user.email)

    revoke(
        organization_id=team.organization.id,
        invitation_id=revoked.id,
        actor=owner.actor,
        now=now(),
    )
    with pytest.raises(InvitationRevokedError):
        join(token, guest)
    with pytest.raises(InvitationExpiredError):
        join(old, late, at=now() + timedelta(days=7))
    assert (team.role(guest), team.role(late)) == (None, None)
    # Room for another.
    assert join(offer(team, owner, email=guest.user.email)[1], guest)


def test_newer_mail_voids_the_older_link(team, owner):
    guest = team.person()
    begun = now() - timedelta(days=6)
    invitation, first = offer(team, owner, email=guest.user.email, at=begun)
    own = {"organization_id": team.organization.id, "invitation_id": invitation.id}

    with pytest.raises(InvalidInputError):
        resend(**own, link_to=link_to, actor=owner.actor, now=begun + timedelta(seconds=59))
    resend(**own, link_to=link_to, actor=owner.actor, now=now())
    second = read_token()

    with pytest.raises(InvitationNotFoundError):
        join(first, guest)
    assert join(second, guest, at=now() + timedelta(days=6)).role == "developer"


def test_only_an_owner_invites_an_owner_and_an_address_once(team, owner):
    admin = team.person("admin")

    with pytest.raises(PermissionDeniedError):
        offer(team, admin, role="owner")
    with pytest.raises(PermissionDeniedError):
        offer(team, team.person("developer"), role="viewer")
    with pytest.raises(InvalidInputError):
        offer(team, owner, email="no address")
    offer(team, owner, email="a@example.com")
    with pytest.raises(InvalidInputError, match="invited already"):
        offer(team, owner, email="A@example.com")

    assert Invitation.objects.filter(organization=team.organization).count() == 1


def test_mail_speaks_the_language_of_the_invitation(team, owner):
    offer(team, owner, language="es")
    spanish = outbox.outbox[-1]
    offer(team, owner, email="b@example.com")
    english = outbox.outbox[-1]

    assert spanish.subject == f"{owner.user.email} te invita a Acme en Lienzo"
    assert "con el rol de desarrollador" in spanish.body
    assert english.subject == f"{owner.user.email} invites you to Acme on Lienzo"
    assert spanish.extra_headers["Message-ID"] != english.extra_headers["Message-ID"]


def test_mail_is_tried_again_kept_encrypted_and_forgotten(team, owner, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(AssertionError):
        offer(team, owner)
    row = Mail.objects.get(organization=team.organization)
    assert (row.status, row.failures, row.error) == ("pending", 1, "ConnectionRefusedError")
    assert b"/join/" not in bytes(row.body)
    assert send() == []

    settings.EMAIL_BACKEND = BACKEND
    assert send(at=now() + timedelta(minutes=1)) == [True]
    row.refresh_from_db()
    assert (row.status, bytes(row.body)) == ("sent", b"")
    assert send(at=now() + timedelta(days=1)) == []
    assert mails.prune_mail(now=now() + timedelta(days=31)) >= 1


def test_mail_that_nobody_takes_for_a_day_is_given_up(team, owner, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(AssertionError):
        offer(team, owner, at=now() - timedelta(hours=25))

    row = Mail.objects.get(organization=team.organization)
    assert (row.status, bytes(row.body)) == ("failed", b"")
