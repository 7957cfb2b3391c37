"""Signing up, proving who one is, and the first organization."""

import base64
import hashlib
import hmac
import re
import struct
import time

import requests
from playwright.sync_api import Page, expect

from tests.e2e.browser import PASSWORD, Member, check_accessible, expect_page, shoot, sign_in
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
    sign_in(page, stack, member.email)
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
    sign_in(page, stack, member.email)
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
    sign_in(page, stack, member.email)
    other = page.context.browser.new_context().new_page()  # type: ignore[union-attr] # launched
    sign_in(other, stack, member.email)
    page.goto(f"{stack.url}/accounts/sessions/")
    shoot(page, "sessions")
    check_accessible(page)
    page.get_by_role("button", name="Sign Out Other Sessions").click()

    other.goto(member.home)
    assert "/accounts/login/" in other.url
    page.goto(member.home)
    expect_page(page, "Home")
    other.context.close()
