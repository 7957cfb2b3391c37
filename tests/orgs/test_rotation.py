"""Secrets of the server replaced while processes with the old ones and the new ones serve."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from core.clock import now
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from orgs.errors import InvalidApiKeyError
from orgs.models import ApiKey, Mail, WebhookEndpoint
from orgs.services.api_keys import authenticate_key, caller_cache, touch_last_used
from orgs.services.audit import SYSTEM
from orgs.services.key_administration import rotate_api_key
from orgs.services.organizations import create_user
from orgs.services.signing import SecretUnreadableError, seal, unseal
from tests.visits import signed_in

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough passphrase"
# Each step of a rotation as the processes before and after it have it: first, and others.
STEPS = (("old", ()), ("old", ("new",)), ("new", ("old",)), ("new", ()))


@pytest.fixture
def hash_by(settings: Settings) -> Callable[..., None]:
    """Let this process be one with other secrets for API keys, that knows none of them yet."""

    def set_secrets(first: str, others: tuple[str, ...] = ()) -> None:
        settings.API_KEY_HMAC_SECRET = first
        settings.API_KEY_HMAC_PREVIOUS_SECRETS = list(others)
        caller_cache()._callers.clear()
        caller_cache()._touched.clear()

    return set_secrets


def use(secret: str) -> int:
    """Use a key; return how many rows that wrote."""
    with CaptureQueriesContext(connection) as queries:
        caller = authenticate_key(text=secret, now=now())
        touch_last_used(caller=caller, now=now())
    return sum(one["sql"].startswith("UPDATE") for one in queries)


def mint() -> tuple[ApiKey, str]:
    organization = open_organization(name="Rotates", currency="USD")
    return open_api_key(organization=organization, terms=KeyTerms(name="Rotated"))


def command(name: str) -> tuple[int, dict[str, Any]]:
    out = StringIO()
    code = 0
    try:
        call_command(name, "--json", stdout=out)
    except SystemExit as ended:
        code = int(str(ended.code))
    printed: dict[str, Any] = json.loads(out.getvalue())
    return code, printed


def age(api_key: ApiKey) -> None:
    """Let its last use be longer ago than uses are written down."""
    ApiKey.objects.filter(id=api_key.id).update(last_used_at=now() - timedelta(minutes=2))


def test_keys_work_in_old_and_new_processes_at_every_step_and_one_use_hashes_them_anew(hash_by):
    hash_by(*STEPS[0])
    used, secret = mint()
    _, unused = mint()

    for before, after in pairwise(STEPS):
        # Side by side, in turns: neither shuts the other's callers out, whichever wrote last.
        for process in (before, after, before, after):
            hash_by(*process)
            age(used)
            assert use(secret) == 1
            _, fresh_secret = mint()
            hash_by(*(after if process == before else before))
            assert use(fresh_secret) == 1

    hash_by(*STEPS[3])
    age(used)
    assert use(secret) == 1
    with pytest.raises(InvalidApiKeyError):
        use(unused)


def test_hashing_anew_writes_no_row_more_than_use_does(hash_by):
    hash_by("old")
    api_key, secret = mint()
    assert [use(secret), use(secret)] == [1, 0]

    hash_by("new", ("old",))
    # A minute has not passed since its last use: nothing is written, and it works.
    assert [use(secret), use(secret)] == [0, 0]
    digest = ApiKey.objects.get(id=api_key.id).digest
    age(api_key)
    hash_by("new", ("old",))
    assert [use(secret), use(secret)] == [1, 0]
    assert ApiKey.objects.get(id=api_key.id).digest != digest


def test_secret_in_its_overlap_is_hashed_anew_and_a_rotation_in_between_is_left_alone(hash_by):
    hash_by("old")
    api_key, first = mint()
    hash_by("new", ("old",))
    caller = authenticate_key(text=first, now=now())
    _, second = rotate_api_key(
        api_key_id=api_key.id, overlap=timedelta(hours=1), actor=SYSTEM, now=now()
    )
    touch_last_used(caller=caller, now=now())

    hash_by("new", ("old",))
    assert [use(first), use(second)] == [1, 0]
    hash_by("new")
    assert use(first) == use(second) == 0


def test_keys_that_hang_on_an_old_secret_are_listed(hash_by):
    hash_by("old")
    used, secret = mint()
    unused, _ = mint()
    ApiKey.objects.exclude(id__in=[used.id, unused.id]).update(revoked_at=now())
    hash_by("new", ("old",))
    use(secret)

    code, printed = command("list_key_hashes")

    assert (code, printed["counts"]) == (1, {"present": 1, "previous": 1})
    assert [(one["id"], one["last_used"]) for one in printed["behind"]] == [(str(unused.id), None)]
    ApiKey.objects.filter(id=unused.id).update(revoked_at=now())
    assert command("list_key_hashes") == (0, {"counts": {"present": 1}, "behind": []})


def seal_by(settings: Settings, *keys: str) -> None:
    settings.WEBHOOK_ENCRYPTION_KEYS = list(keys)


def test_everything_sealed_is_sealed_anew_once_and_opens_without_the_old_key(settings):
    seal_by(settings, "old")
    organization = open_organization(name="Seals", currency="USD")
    plain = {"organization": organization, "events": [], "url": "https://example.com"}
    until = now() + timedelta(hours=1)
    endpoint = WebhookEndpoint.objects.create(**plain, secret=seal("first"))
    rotated = WebhookEndpoint.objects.create(
        **plain, secret=seal("second"), previous_secret=seal("third"), previous_secret_until=until
    )
    gone = WebhookEndpoint.objects.create(**plain, secret=b"", is_enabled=True)
    user = create_user(
        email=f"{uuid4().hex}@example.com", password=PASSWORD, actor=SYSTEM, name="Ana"
    )
    TOTP.activate(user, "JBSWY3DPEHPK3PXP")
    factor = Authenticator.objects.get(user=user)
    mail = {"kind": "k", "recipient": "a@example.com", "subject": "s", "give_up_at": until}
    waiting = Mail.objects.create(**mail, body=seal("link"), next_at=now())
    sent = Mail.objects.create(**mail, body=b"", status="sent", ended_at=now())
    seal_by(settings, "lost")
    unreadable = WebhookEndpoint.objects.create(**plain, secret=seal("nobody knows"))

    seal_by(settings, "new", "old")
    code, done = command("reencrypt_secrets")

    assert code == 1
    assert done["webhooks"]["unreadable"] == [str(unreadable.id)]
    assert [done[kind]["changed"] for kind in ("webhooks", "authenticators", "mail")] == [2, 1, 1]
    unreadable.delete()
    code, again = command("reencrypt_secrets")
    assert (code, [kind["changed"] for kind in again.values()]) == (0, [0, 0, 0])
    seal_by(settings, "new")
    for row in (endpoint, rotated, gone, factor, waiting, sent):
        row.refresh_from_db()
    assert unseal(bytes(endpoint.secret)) == "first"
    assert unseal(bytes(rotated.secret)) == "second"
    assert unseal(bytes(rotated.previous_secret or b"")) == "third"
    assert unseal(bytes(waiting.body)) == "link"
    assert unseal(factor.data["secret"].encode()) == "JBSWY3DPEHPK3PXP"
    assert (bytes(gone.secret), bytes(sent.body)) == (b"", b"")


def test_what_secret_key_sealed_opens_by_a_fallback(settings):
    sealed = seal("a secret")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "new"
    with pytest.raises(SecretUnreadableError):
        unseal(sealed)

    settings.SECRET_KEY_FALLBACKS = [old]

    assert unseal(sealed) == "a secret"


@pytest.mark.usefixtures("pages")
def test_sessions_outlive_a_new_secret_key_and_stay_in_their_owners_list(settings):
    old = settings.SECRET_KEY
    user = create_user(
        email=f"{uuid4().hex}@example.com", password=PASSWORD, actor=SYSTEM, name="Ana"
    )
    client = signed_in(user)
    key = client.session.session_key
    UserSession.objects.filter(user=user).delete()
    UserSession.objects.create(
        user=user, ip="127.0.0.1", user_agent="x", session_key=key, created_at=timezone.now()
    )

    def is_signed_in(browser: Client, first: str, *others: str) -> bool:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = first, list(others)
        return browser.get("/accounts/profile").status_code == 200

    # Old and new processes in turns, at each step; then without the old secret.
    for first, others in ((old, ["new"]), (old, []), (old, ["new"]), ("new", [old])):
        assert is_signed_in(client, first, *others)
    assert is_signed_in(client, old, "new")
    assert is_signed_in(client, "new", old)
    assert is_signed_in(client, "new")
    assert client.session.session_key != key
    (listed,) = UserSession.objects.filter(user=user)
    assert listed.session_key == client.session.session_key
