"""The pages of members and invitations."""

import re
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress

from core.clock import now
from orgs.models import Invitation
from orgs.services import mails
from orgs.services.signing import unseal
from tests.orgs.people import Person, Team, person
from tests.visits import signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]


def at(team: Team, path: str) -> str:
    return f"/o/{team.organization.id}/{path}"


def link_of(address: str) -> str:
    """Return the path in the newest mail to an address."""
    claimed = [one for one in mails.claim_mail(limit=1000, now=now()) if one.recipient == address]
    found = re.search(r"/invitations/[\w-]+", unseal(bytes(claimed[-1].sealed_body)))
    assert found
    return found[0]


def verified(someone: Person) -> Person:
    EmailAddress.objects.create(
        user=someone.user, email=someone.user.email, verified=True, primary=True
    )
    return someone


def test_list_shows_people_and_only_to_managers_what_they_may_do():
    team = Team.open()
    admin, viewer = team.person("admin"), team.person("viewer")
    for _ in range(5):
        team.key_of(team.person("developer"))

    page = visit(signed_in(admin.user), at(team, "members"))

    assert viewer.user.email in page
    assert at(team, f"members/{viewer.user.id}") in page
    assert "Invite someone" in page
    seen = visit(signed_in(viewer.user), at(team, "members"))
    assert admin.user.email in seen
    assert "Invite someone" not in seen
    assert at(team, f"members/{admin.user.id}") not in seen


def test_somebody_is_invited_follows_the_link_and_joins():
    team, address = Team.open(), f"{uuid4().hex}@example.com"
    admin = team.person("admin")
    managing = signed_in(admin.user)
    fields = {"email": address, "role": "developer", "language": "es"}
    answer = managing.post(at(team, "members/invite"), {**fields, "email": "no address"})
    assert 'value="no address"' in answer.content.decode()
    assert "id_email_error" in answer.content.decode()
    assert managing.post(at(team, "members/invite"), {**fields, "role": "owner"}).status_code == 200
    assert not Invitation.objects.filter(organization=team.organization).exists()

    assert managing.post(at(team, "members/invite"), fields).status_code == 302
    again = managing.post(at(team, "members/invite"), fields).content.decode()
    assert "This address is invited already" in again
    assert address in visit(managing, at(team, "members"))

    link = link_of(address)
    other, guest = verified(person()), verified(person(name="Eva"))
    EmailAddress.objects.filter(user=guest.user).update(email=address)
    assert "This invitation is for" in visit(signed_in(other.user), link)
    assert signed_in(other.user).post(f"{link}/accept")["Location"] == link
    client = signed_in(guest.user)
    assert "Accept the invitation" in visit(client, link)
    answer = client.post(f"{link}/accept")
    assert answer["Location"] == f"/o/{team.organization.id}"
    assert team.role(guest) == "developer"
    used = signed_in(other.user).get(link)
    assert used.status_code == 410
    assert "It works once" in used.content.decode()


def test_whoever_has_no_account_yet_finds_back_to_the_invitation(client):
    team, address = Team.open(), f"{uuid4().hex}@example.com"
    owner = team.person("owner")
    signed_in(owner.user).post(
        at(team, "members/invite"), {"email": address, "role": "viewer", "language": "en"}
    )
    link = link_of(address)

    page = client.get(link, headers={"accept": "text/html"}).content.decode()

    assert f"/accounts/signup/?next={link.replace('/', '%2F')}" in page
    assert client.post(f"{link}/accept")["Location"].startswith("/accounts/login/")
    client.force_login(verified(person()).user)
    assert client.get("/", headers={"accept": "text/html"})["Location"] == link
    assert client.get("/invitations/unknown").status_code == 404


def test_invitation_is_taken_back_and_not_sent_twice_within_a_minute():
    team = Team.open()
    client = signed_in(team.person("owner").user)
    fields = {"email": f"{uuid4().hex}@example.com", "role": "viewer", "language": "en"}
    client.post(at(team, "members/invite"), fields)
    invitation = Invitation.objects.get(organization=team.organization)

    page = client.post(at(team, f"invitations/{invitation.id}/resend"), follow=True)
    assert "toast-note is-error" in page.content.decode()
    client.post(at(team, f"invitations/{invitation.id}/revoke"))

    invitation.refresh_from_db()
    assert invitation.revoked_at is not None
    assert client.post(at(team, f"invitations/{uuid4()}/revoke")).status_code == 404


def test_role_changes_within_what_the_role_of_the_changer_allows():
    team = Team.open()
    owner, admin, viewer = (team.person(role) for role in ("owner", "admin", "viewer"))
    client = signed_in(admin.user)
    page = visit(client, at(team, f"members/{viewer.user.id}"))
    assert 'value="admin"' in page
    assert 'value="owner"' not in page
    assert "Only an owner changes" in visit(client, at(team, f"members/{owner.user.id}"))

    client.post(at(team, f"members/{viewer.user.id}"), {"role": "billing"})
    refused = client.post(at(team, f"members/{owner.user.id}"), {"role": "viewer"})
    last = signed_in(owner.user).post(at(team, f"members/{owner.user.id}"), {"role": "admin"})

    assert team.role(viewer) == "billing"
    assert (refused.status_code, team.role(owner)) == (403, "owner")
    assert "at least one owner" in last.content.decode()


def test_who_goes_says_what_becomes_of_their_keys():
    team = Team.open()
    owner, heir, developer = (team.person(role) for role in ("owner", "admin", "developer"))
    key, own = team.key_of(developer), team.key_of(heir)
    client = signed_in(owner.user)
    path = at(team, f"members/{developer.user.id}/remove")
    assert "id_keys_error" in client.post(path, {}).content.decode()
    assert team.role(developer) == "developer"

    assert client.post(path, {"keys": str(heir.user.id)}).status_code == 302
    key.refresh_from_db()
    assert (team.role(developer), key.created_by_id) == (None, heir.user.id)

    leaving = signed_in(heir.user)
    assert "2 API keys of yours work" in visit(leaving, at(team, "leave"))
    assert leaving.post(at(team, "leave"), {"keys": "revoke"})["Location"] == "/"
    own.refresh_from_db()
    assert own.revoked_at is not None
    assert leaving.get(at(team, "members")).status_code == 404
    assert "You are the only owner" in visit(client, at(team, "leave"))
