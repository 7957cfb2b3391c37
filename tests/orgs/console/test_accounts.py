"""Accounts: what is written to their owners, what strangers learn, languages, sessions, limits."""

import re
import time
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import allauth
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from orgs.console import account_mails
from orgs.console.devices import device_name
from orgs.models import Mail, User
from orgs.services.audit import SYSTEM
from orgs.services.organizations import choose_language, create_user
from orgs.services.signing import unseal
from tests.orgs.people import Team
from tests.visits import visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages", "unlimited")]
PASSWORD = "a long enough passphrase"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"


@pytest.fixture
def unlimited(settings: Settings) -> None:
    """Forget the tries of other tests, which come from the same address; hash quickly."""
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def browser(language: str = "", **headers: str) -> Client:
    client = Client(headers={"accept": "text/html", "user-agent": CHROME, **headers})
    if language:
        client.cookies["django_language"] = language
    return client


def owner(email: str = "") -> User:
    email = email or f"{uuid4().hex}@example.com"
    return create_user(email=email, password=PASSWORD, actor=SYSTEM, name="Ana")


def sign_in(client: Client, user: User, password: str = PASSWORD):
    return client.post("/accounts/login/", {"login": user.email, "password": password})


def is_signed_in(client: Client) -> bool:
    return client.get("/accounts/profile").status_code == HTTPStatus.OK


def mail_to(email: str) -> tuple[str, str]:
    """Return subject and text of the newest mail to an address; it waits to be sent."""
    mail = Mail.objects.filter(recipient=email).latest("created_at")
    assert mail.status == Mail.Status.PENDING
    return mail.subject, unseal(bytes(mail.body))


def path_in(text: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:8000(\S+)", text)
    assert found, text
    return found[1]


def ask_reset(client: Client, email: str):
    return client.post("/accounts/password/reset/", {"email": email})


def test_a_password_is_reset_once_by_the_mailed_link_which_ends_all_sessions() -> None:
    user, elsewhere, here = owner(), browser(), browser()
    sign_in(elsewhere, user)
    assert is_signed_in(elsewhere)

    assert ask_reset(here, user.email)["Location"] == "/accounts/password/reset/done/"
    link = path_in(mail_to(user.email)[1])
    form = here.get(link)
    new = {"password1": "another long passphrase", "password2": "another long passphrase"}
    done = here.post(form["Location"], new)

    assert done["Location"] == "/accounts/password/reset/key/done/"
    assert not is_signed_in(elsewhere)
    assert mail_to(user.email)[0] == "Your password was reset"
    user.refresh_from_db()
    assert user.check_password("another long passphrase")
    assert "This link no longer works" in browser().get(link).content.decode()
    assert sign_in(here, user, "another long passphrase").status_code == HTTPStatus.FOUND


def test_a_link_to_reset_a_password_expires(settings: Settings) -> None:
    user = owner()
    ask_reset(browser(), user.email)
    settings.PASSWORD_RESET_TIMEOUT = -1

    answer = browser().get(path_in(mail_to(user.email)[1]), follow=True)

    assert "This link no longer works" in answer.content.decode()


def test_strangers_do_not_learn_which_addresses_have_accounts() -> None:
    user, unknown = owner(), f"{uuid4().hex}@example.com"
    resets = [ask_reset(browser(), email) for email in (user.email, unknown)]
    sign_ups = []
    for email in (user.email, f"{uuid4().hex}@example.com"):
        form = {"name": "Eve", "email": email, "password1": "some other passphrase"}
        sign_ups.append(browser().post("/accounts/signup/", form))
    sign_ins = []
    for email in (user.email, unknown):
        form = {"login": email, "password": "not the passphrase"}
        text = browser().post("/accounts/login/", form).content.decode()
        sign_ins.append(re.sub(r'value="[^"]*"|X-CSRFToken[^}]*', "", text))

    assert resets[0]["Location"] == resets[1]["Location"]
    assert sign_ups[0].status_code == sign_ups[1].status_code == HTTPStatus.FOUND
    assert sign_ups[0]["Location"] == sign_ups[1]["Location"]
    assert sign_ins[0] == sign_ins[1]
    assert mail_to(unknown)[0] == "There is no Lienzo account with this address"
    assert mail_to(user.email)[0] == "You have a Lienzo account already"
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_links_in_mail_lead_to_the_public_address_whatever_host_was_asked(
    settings: Settings,
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    user = owner()

    browser(host="evil.example").post("/accounts/password/reset/", {"email": user.email})

    assert "evil.example" not in mail_to(user.email)[1]
    assert path_in(mail_to(user.email)[1]).startswith("/accounts/password/reset/key/")


def test_every_mail_of_allauth_has_a_text_of_ours() -> None:
    folder = Path(allauth.__file__).parent / "templates"
    known = {
        str(path.relative_to(folder)).removesuffix("_subject.txt")
        for path in folder.glob("*/email/*_subject.txt")
    }
    # By code rather than by link, and what nothing sends.
    unused = {"login_code", "password_reset_code", "email_confirm"}
    used = {one for one in known if one.rpartition("/")[2] not in unused}

    assert len(used) > 10
    assert used == account_mails.LINKS.keys() | account_mails.CHANGES.keys()


def test_mail_is_in_the_language_of_its_reader() -> None:
    user = owner()
    choose_language(user=user, language="es")

    ask_reset(browser("en"), user.email)

    subject, text = mail_to(user.email)
    assert subject == "Elige una contraseña nueva para Lienzo"
    assert "El enlace funciona una sola vez" in text


def test_a_chosen_language_is_kept_with_the_person() -> None:
    team = Team.open()
    someone, home = team.person("owner").user, f"/o/{team.organization.id}/members"
    first = browser()
    first.force_login(someone)
    first.post("/accounts/language", {"language": "es", "next": home})

    second = browser("en")
    second.force_login(someone)

    assert '<html lang="es"' in visit(first, home)
    assert '<html lang="es"' in visit(second, home)
    assert '<html lang="en"' in browser().get("/accounts/login/").content.decode()


def test_who_never_chose_reads_the_organizations_language() -> None:
    team = Team.open()
    team.organization.language = "es"
    team.organization.save()
    client = browser(**{"accept-language": "en"})
    client.force_login(team.person("viewer").user)

    assert '<html lang="en"' in client.get("/accounts/profile").content.decode()
    assert '<html lang="es"' in visit(client, f"/o/{team.organization.id}/members")
    assert '<html lang="es"' in visit(client, "/accounts/profile")


def test_sessions_are_listed_and_end_at_once() -> None:
    user = owner()
    here, phone, other = browser(), browser(**{"user-agent": "iPhone Safari/605.1"}), browser()
    for client in (here, phone, other):
        sign_in(client, user)
    page = visit(here, "/accounts/sessions/")
    assert page.count("Chrome, Linux</strong>") == 2
    assert page.count("This one") == 1
    found = re.search(r'value="(\d+)">Sign out<span class="visually-hidden"> Safari, iPhone', page)
    assert found

    stranger = browser()
    sign_in(stranger, owner())
    stranger.post("/accounts/sessions/", {"session": found[1]})
    assert is_signed_in(phone), "a session of somebody else"

    here.post("/accounts/sessions/", {"session": found[1]})
    assert [is_signed_in(one) for one in (here, phone, other)] == [True, False, True]
    here.post("/accounts/sessions/")
    assert [is_signed_in(one) for one in (here, phone, other)] == [True, False, False]
    assert visit(here, "/accounts/sessions/").count("Chrome, Linux</strong>") == 1


def test_a_changed_password_ends_the_other_sessions() -> None:
    user, here, other = owner(), browser(), browser()
    for client in (here, other):
        sign_in(client, user)
    form = {"oldpassword": PASSWORD, "password1": "quite another one", "password2": ""}
    form["password2"] = form["password1"]

    here.post("/accounts/password/change/", form)

    assert [is_signed_in(one) for one in (here, other)] == [True, False]
    assert visit(here, "/accounts/sessions/").count("Chrome, Linux</strong>") == 1
    assert mail_to(user.email)[0] == "Your password was changed"


def test_a_code_of_an_app_works_once_and_its_secret_is_sealed() -> None:
    user, secret = owner(), generate_totp_secret()
    TOTP.activate(user, secret)
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    first, second = browser(), browser()
    sign_in(first, user)
    sign_in(second, user)

    wrong = first.post("/accounts/2fa/authenticate/", {"code": code[::-1] + "0"})
    right = first.post("/accounts/2fa/authenticate/", {"code": code})
    again = second.post("/accounts/2fa/authenticate/", {"code": code})

    assert "Incorrect code." in wrong.content.decode()
    assert right.status_code == HTTPStatus.FOUND
    assert "Incorrect code." in again.content.decode()
    assert [is_signed_in(one) for one in (first, second)] == [True, False]
    assert secret not in str(Authenticator.objects.get(user=user).data)


def test_tries_to_sign_in_are_limited_by_account_and_by_address() -> None:
    user, client = owner(), browser()
    for _ in range(5):
        assert "not correct" in sign_in(client, user, "not the passphrase").content.decode()

    limited = sign_in(client, user)
    others = [sign_in(browser(), owner(), "not the passphrase") for _ in range(6)]

    assert "Too many failed login attempts. Try again later." in limited.content.decode()
    assert not is_signed_in(client)
    assert "Too many failed" in others[-1].content.decode()


def test_asking_too_often_gets_a_page_that_says_so() -> None:
    user = owner()
    for _ in range(5):
        ask_reset(browser(), user.email)

    answer = ask_reset(browser(), user.email)

    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert "Wait a few minutes" in answer.content.decode()


def test_a_form_without_its_token_gets_a_page_that_says_what_to_do() -> None:
    client = Client(enforce_csrf_checks=True, headers={"accept": "text/html"})

    answer = sign_in(client, owner())

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "This form is out of date" in answer.content.decode()


def test_devices_have_names() -> None:
    assert device_name(CHROME) == "Chrome, Linux"
    assert device_name("Mozilla/5.0 (Macintosh; Mac OS X 10) Firefox/140") == "Firefox, macOS"
    assert device_name("curl/8.5.0") == "curl/8.5.0"
