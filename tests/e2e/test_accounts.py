"""Signing up, proving who one is, and the first organization."""

import base64
import hashlib
import hmac
import re
import struct
import time

import requests
from playwright.sync_api import Page, expect

from tests.e2e.browser import (
    PASSWORD,
    Member,
    check_accessible,
    expect_page,
    shoot,
    sign_in_by_form,
)
from tests.openid import identity_provider
from tests.stack import Stack, wait_until

PERIOD_S = 30


def totp(secret: str) -> str:
    """Return the present code of an authenticator app (RFC 6238)."""
    key = base64.b32decode(secret)
    counter = struct.pack(">Q", int(time.time()) // PERIOD_S)
    digest = hmac.digest(key, counter, hashlib.sha1)
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06d}"


def mailed_link(stack: Stack, email: str, part: str = "confirm-email") -> str:
    """Return the link in the newest mail to an address, from the outbox's page."""

    def look() -> str | None:
        page = requests.get(f"{stack.url}/outbox", timeout=10).text
        for mail in page.split("<article")[1:]:
            if email in mail and (found := re.search(rf'href="(http[^"]+{part}[^"]+)"', mail)):
                return found[1]
        return None

    link = wait_until(look, f"a mail to {email}")
    assert isinstance(link, str)
    return link


def test_somebody_signs_up_proves_who_they_are_and_gets_a_key(
    browser_page: Page, stack: Stack
) -> None:
    page = browser_page
    email = f"sign-up-{time.time_ns()}@example.com"
    page.goto(f"{stack.url}/accounts/signup/")
    check_accessible(page)
    shoot(page, "sign-up")
    page.fill("[name=name]", "Ana Ruiz")
    page.fill("[name=email]", email)
    page.fill("[name=password1]", PASSWORD)
    page.locator("form[action$='/signup/'] button[type=submit]").click()
    page.wait_for_url("**/confirm-email/")

    page.goto(mailed_link(stack, email))
    shoot(page, "confirm-address")
    page.locator("form[action*='confirm-email'] button").click()
    page.wait_for_url("**/organizations/new")
    check_accessible(page)
    shoot(page, "new-organization")

    page.fill("[name=name]", "Imprenta Sur")
    page.select_option("[name=currency]", "MXN")
    page.get_by_role("button", name="Create the organization").click()
    expect_page(page, "Your first key")
    check_accessible(page)
    shoot(page, "first-key")
    secret = page.locator("[data-secret]").input_value()
    answer = requests.post(
        f"{stack.url}/v1/images/generations",
        headers={"Authorization": f"Bearer {secret}"},
        json={"model": "fal/flux-1.1-pro", "prompt": f"a lighthouse {email}"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    page.get_by_role("link", name="I have kept the key").click()
    expect_page(page, "Home")
    expect(page.locator(".switcher-name")).to_contain_text("Imprenta Sur")
    assert secret not in page.content()


def test_a_second_factor_is_asked_for_at_the_next_sign_in(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    sign_in_by_form(page, stack, member.email)
    page.goto(f"{stack.url}/accounts/2fa/totp/activate/")
    if "reauthenticate" in page.url:
        page.fill("[name=password]", PASSWORD)
        page.locator("main button[type=submit]").first.click()
    shoot(page, "authenticator-app")
    check_accessible(page)
    secret = page.locator("#authenticator_secret").input_value()
    page.fill("[name=code]", totp(secret))
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/recovery-codes/")
    codes = page.locator("textarea").input_value().split()
    assert len(codes) == 10
    page.goto(f"{stack.url}/accounts/2fa/")
    shoot(page, "two-factor")

    page.locator("summary.account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login/")
    sign_in_by_form(page, stack, member.email)
    assert page.url.endswith("/accounts/2fa/authenticate/")
    check_accessible(page)
    shoot(page, "second-factor")
    page.goto(member.home)
    assert "/accounts/" in page.url, "the password alone must not do"

    page.fill("[name=code]", codes[0])
    page.locator("form[action$='/authenticate/'] button[type=submit]").first.click()
    expect_page(page, "Home")


def test_a_session_is_ended_from_another_browser(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    sign_in_by_form(page, stack, member.email)
    other = page.context.browser.new_context().new_page()  # type: ignore[union-attr] # launched
    sign_in_by_form(other, stack, member.email)
    page.goto(f"{stack.url}/accounts/sessions/")
    shoot(page, "sessions")
    check_accessible(page)
    page.get_by_role("row").filter(has_not_text="This one").get_by_role(
        "button", name="Sign out"
    ).click()
    expect(page.get_by_text("Signed out there.")).to_be_visible()

    other.goto(member.home)
    assert "/accounts/login/" in other.url
    page.goto(member.home)
    expect_page(page, "Home")
    other.context.close()


def test_a_password_is_reset_and_changed_and_an_address_too(
    browser_page: Page, stack: Stack
) -> None:
    page, member = browser_page, Member(stack)
    page.goto(f"{stack.url}/accounts/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    shoot(page, "forgot-password")
    check_accessible(page)
    page.fill("[name=email]", member.email)
    page.get_by_role("button", name="Send me the link").click()
    expect_page(page, "Look at your mail")

    link = mailed_link(stack, member.email, "password/reset/key")
    page.goto(link)
    shoot(page, "new-password")
    check_accessible(page)
    page.fill("[name=password1]", "a new passphrase")
    page.fill("[name=password2]", "a new passphrase")
    page.get_by_role("button", name="Change the password").click()
    expect_page(page, "Your password is changed")
    page.goto(link)
    expect_page(page, "This link no longer works")
    shoot(page, "new-password-used")

    sign_in_by_form(page, stack, member.email, "a new passphrase")
    page.goto(f"{stack.url}/accounts/profile")
    page.goto(f"{stack.url}/accounts/password/change/")
    check_accessible(page)
    page.fill("[name=oldpassword]", "a new passphrase")
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#toasts")).to_contain_text("changed")

    page.goto(f"{stack.url}/accounts/email/")
    page.fill("[name=email]", f"new-{member.email}")
    page.get_by_role("button", name="Change the address").click()
    expect(page.get_by_text("waits to be confirmed")).to_be_visible()
    shoot(page, "change-address")
    check_accessible(page)
    page.goto(mailed_link(stack, f"new-{member.email}"))
    page.get_by_role("button", name="Yes, confirm it").click()
    page.goto(f"{stack.url}/accounts/email/")
    expect(page.locator("main strong")).to_have_text(f"new-{member.email}")


def test_a_passkey_is_added_signs_in_and_is_removed(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    # Browsers know passkeys by host names alone.
    here = stack.url.replace("127.0.0.1", "localhost")
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.goto(f"{here}/accounts/login/")
    page.fill("[name=login]", member.email)
    page.fill("[name=password]", PASSWORD)
    page.locator("form[action$='/login/'] button[type=submit]").first.click()
    expect_page(page, "Home")
    page.goto(f"{here}/accounts/2fa/webauthn/")
    page.get_by_role("link", name="Add the first passkey").click()
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect_page(page, "Add a passkey")
    shoot(page, "add-passkey")
    check_accessible(page)
    page.fill("[name=name]", "Laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect_page(page, "Recovery codes")
    shoot(page, "recovery-codes")
    check_accessible(page)
    page.goto(f"{here}/accounts/2fa/webauthn/")
    page.get_by_role("link", name="Rename Laptop").click()
    page.fill("[name=name]", "Old laptop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="Old laptop")).to_be_visible()
    shoot(page, "passkeys")
    check_accessible(page)

    page.locator("summary.account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect_page(page, "Home")

    page.goto(f"{here}/accounts/2fa/webauthn/")
    page.get_by_role("link", name="Remove Old laptop").click()
    page.get_by_role("link", name="Use a security key").click()
    check_accessible(page)
    page.get_by_role("button", name="Use a security key").click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("No passkeys yet")).to_be_visible()
    page.locator("summary.account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("#toasts .is-error")).to_be_visible()
    page.goto(f"{here}/accounts/profile")
    assert "/accounts/login/" in page.url, "a removed passkey signs nobody in"


def test_somebody_signs_in_at_their_identity_provider(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    with identity_provider(stack.identity) as provider:
        provider.sign_in(member.email)
        page.goto(f"{stack.url}/accounts/login/")
        shoot(page, "sign-in")
        check_accessible(page)
        page.get_by_role("button", name="Sign in with Acme").click()
        expect_page(page, "Home")
        page.goto(f"{stack.url}/accounts/3rdparty/")
        check_accessible(page)
        assert provider.refusals == []
