"""Single sign-on, by the real protocol: who gets in, as whom, and who does not."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from pytest_django import Settings

from config.console import openid_connect
from orgs.models import Mail, User
from orgs.services.audit import SYSTEM
from orgs.services.organizations import create_user
from tests.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, identity_provider

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]
PASSWORD = "a long enough passphrase"
START = "/accounts/oidc/sso/login/"


@pytest.fixture
def provider(settings: Settings) -> Iterator[OpenIdProvider]:
    with identity_provider() as running:
        settings.OIDC_ISSUER_URL = running.url
        settings.SOCIALACCOUNT_PROVIDERS = openid_connect(
            issuer_url=running.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="Acme"
        )
        yield running


@pytest.fixture(autouse=True)
def _quick(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def client() -> Client:
    return Client(headers={"accept": "text/html"})


def new_address() -> str:
    return f"{uuid4().hex}@example.com"


def come_back(client: Client, **changed: str) -> Any:
    """Go to the identity provider and back, as a browser does."""
    start = client.post(START)
    assert start.status_code == HTTPStatus.FOUND, start.content
    answer = requests.get(start["Location"], allow_redirects=False, timeout=10)
    back = urlsplit(answer.headers["Location"])
    query = "&".join(
        f"{name}={changed.get(name, value)}"
        for name, _, value in (part.partition("=") for part in back.query.split("&"))
    )
    return client.get(f"{back.path}?{query}")


def member(email: str) -> User:
    return create_user(email=email, password=PASSWORD, actor=SYSTEM, name="Ana")


def is_signed_in(client: Client) -> bool:
    return client.get("/accounts/profile").status_code == HTTPStatus.OK


def test_a_new_person_gets_an_account_with_the_address_verified(provider, client) -> None:
    email = new_address()
    provider.sign_in(email, name="Ana Ruiz")

    come_back(client)

    user = User.objects.get(email=email)
    assert is_signed_in(client)
    assert user.name == "Ana Ruiz"
    assert not user.has_usable_password()
    assert EmailAddress.objects.get(user=user).verified
    assert provider.refusals == []


def test_a_verified_address_leads_to_its_account_which_is_told(provider, client) -> None:
    user = member(new_address())
    provider.sign_in(user.email.upper())

    come_back(client)

    assert client.get("/accounts/profile").wsgi_request.user == user
    assert SocialAccount.objects.get(user=user).provider == "sso"
    assert Mail.objects.get(recipient=user.email).subject.startswith("Single sign-on")
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("claim", [False, "false", None])
def test_an_address_nobody_verified_takes_over_no_account(provider, client, claim) -> None:
    user = member(new_address())
    for email in (user.email, new_address()):
        provider.sign_in(email, verified=claim)

        answer = come_back(client)

        assert answer["Location"] == "/accounts/login/"
        assert "has not verified your address" in client.get("/accounts/login/").content.decode()
        assert not is_signed_in(client)
    assert not SocialAccount.objects.filter(user=user).exists()
    assert not User.objects.filter(email=email).exists()


def test_whoever_took_an_address_without_verifying_it_is_locked_out(provider, client) -> None:
    email = new_address()
    intruder = User.objects.create_user(email, PASSWORD)
    EmailAddress.objects.create(user=intruder, email=email, primary=True, verified=False)
    provider.sign_in(email)

    answer = come_back(client)

    intruder.refresh_from_db()
    assert answer["Location"] == "/accounts/confirm-email/", "its owner is to confirm it"
    assert not is_signed_in(client)
    assert not intruder.has_usable_password()


def test_another_state_a_refusal_and_a_broken_code_let_nobody_in(provider, client) -> None:
    user = member(new_address())
    provider.sign_in(user.email)
    answers = [come_back(client, state="another")]
    provider.identity.error = "server_error"
    answers.append(come_back(client))
    provider.identity.error = "access_denied"
    answers.append(come_back(client))
    provider.identity.error, provider.identity.is_broken = "", True
    answers.append(come_back(client))

    assert [answer["Location"] for answer in answers] == ["/accounts/login/"] * 4
    said = client.get("/accounts/login/").content.decode()
    assert said.count("did not work. Nothing was changed.") == 3
    assert said.count("You stopped signing in") == 1
    assert not is_signed_in(client)
    assert not SocialAccount.objects.filter(user=user).exists()


def test_an_identity_provider_that_is_away_is_said_so(settings: Settings, client) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = openid_connect(
        issuer_url="http://127.0.0.1:1", client_id=CLIENT_ID, client_secret="x", name="Acme"
    )

    answer = client.post(START)

    assert answer["Location"] == "/accounts/login/"
    assert "did not work" in client.get("/accounts/login/").content.decode()


def test_the_second_factor_is_asked_for_as_well(provider, client) -> None:
    user = member(new_address())
    TOTP.activate(user, generate_totp_secret())
    provider.sign_in(user.email)

    answer = come_back(client)

    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(client)
