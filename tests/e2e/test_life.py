"""The whole life of an organization, by the hands of the people in it."""

import time
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from orgs.console.navigation import ORGANIZATION
from orgs.models import Organization, User
from orgs.permissions import permissions_of
from orgs.services.audit import SYSTEM
from orgs.services.members import change_role
from tests.e2e.browser import PASSWORD, check_accessible, expect_page, shoot
from tests.e2e.test_accounts import mailed_link, totp
from tests.stack import Stack

# One browser does all of it in one go, a dozen pages of it with axe.
pytestmark = pytest.mark.timeout(300)
ROLES = ("admin", "developer", "billing", "viewer")


def sign_up(page: Page, stack: Stack, name: str) -> str:
    """Sign up, and follow the link in the mail; return the address."""
    email = f"{uuid4().hex[:12]}@example.com"
    page.goto(f"{stack.url}/accounts/signup/")
    page.fill("[name=name]", name)
    page.fill("[name=email]", email)
    page.fill("[name=password1]", PASSWORD)
    page.locator("form[action$='/signup/'] button[type=submit]").click()
    page.wait_for_url("**/confirm-email/")
    page.goto(mailed_link(stack, email))
    page.locator("form[action*='confirm-email'] button").click()
    page.wait_for_url("**/organizations/new")
    return email


def secure_with_an_app(page: Page, stack: Stack) -> None:
    """Add an authenticator app to the account."""
    page.goto(f"{stack.url}/accounts/2fa/totp/activate/")
    if "reauthenticate" in page.url:
        page.fill("[name=password]", PASSWORD)
        page.locator("main button[type=submit]").first.click()
    page.fill("[name=code]", totp(page.locator("#authenticator_secret").input_value()))
    page.locator("main button[type=submit]").first.click()
    page.wait_for_url("**/recovery-codes/")


def found_organization(page: Page, stack: Stack, name: str) -> tuple[str, str]:
    """Open an organization in MXN; return its home and its first key."""
    page.goto(f"{stack.url}/organizations/new")
    page.fill("[name=name]", name)
    page.select_option("[name=currency]", "MXN")
    page.get_by_role("button", name="Create the organization").click()
    expect_page(page, "Your first key")
    secret = page.locator("[data-secret]").input_value()
    page.get_by_role("link", name="I have kept the key").click()
    expect_page(page, "Home")
    return page.url.rstrip("/"), secret


def draw_with_partials(page: Page, home: str) -> None:
    """Draw one image of the sandbox, and see it come."""
    page.goto(f"{home}/playground?model=openai/gpt-image-1")
    page.fill("#prompt", f"a heron at dusk [[delay=6]] {time.time_ns()}")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".result-image.is-waiting img")).to_be_visible(timeout=20_000)
    expect(page.locator("a.result-image > img")).to_have_count(1, timeout=30_000)


def draw_for_money(page: Page, home: str) -> None:
    """Draw one image of a provider: 0.040 USD x 1.05 x 20 MXN."""
    page.goto(f"{home}/playground?model=fal/flux-1.1-pro")
    page.fill("#prompt", f"a heron at dawn {time.time_ns()}")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator("a.result-image > img")).to_have_count(1, timeout=30_000)
    expect(page.locator(".result-figures")).to_contain_text("0.84")


def invite(page: Page, home: str, email: str, role: str) -> None:
    page.goto(f"{home}/members/invite")
    page.get_by_label("E-mail address").fill(email)
    page.locator(f"[name=role][value={role}], [name=role] option[value={role}]").first.evaluate(
        "one => one.tagName === 'OPTION' ? one.parentElement.value = one.value : one.click()"
    )
    page.get_by_role("button", name="Send the invitation").click()
    expect_page(page, "Members")


def check_pages_of(page: Page, home: str, role: str) -> None:
    """Fail unless the menu shows, and the server serves, exactly what the role may see."""
    page.goto(home)
    shown = page.locator("#side a").evaluate_all("all => all.map(one => one.href)")
    for entry in (entry for group in ORGANIZATION for entry in group.entries):
        path = reverse(entry.url_name, kwargs={"organization_id": home[-36:]})
        url = home.replace(urlsplit(home).path, path)
        may = entry.permission is None or entry.permission in permissions_of(role)
        assert (url in shown) == may, f"{role}, menu: {entry.url_name}"
        assert page.request.get(url).status == (200 if may else 403), f"{role}: {entry.url_name}"


def test_an_organization_lives_from_sign_up_to_deletion(
    browser_page: Page, browser: Browser, stack: Stack
) -> None:
    page, name = browser_page, f"Imprenta {uuid4().hex[:6]}"
    sign_up(page, stack, "Ana Ruiz")
    secure_with_an_app(page, stack)
    home, secret = found_organization(page, stack, name)
    organization_id = UUID(home.rsplit("/", 1)[1])

    page.get_by_role("button", name="Live").click()
    draw_with_partials(page, home)
    page.goto(home)
    page.get_by_role("button", name="Test").click()
    with stack.database():
        call_command("top_up", str(organization_id), "10", verbosity=0)
    draw_for_money(page, home)
    page.goto(f"{home}/gallery")
    expect(page.locator(".grid-item img")).to_have_count(1, timeout=30_000)
    page.goto(f"{home}/billing")
    expect(page.locator(".tile").first).to_contain_text("9.16")
    expect(page.locator("#main tbody tr")).to_have_count(2)
    check_accessible(page)
    shoot(page, "life-billing")

    context = browser.new_context(locale="en-US", color_scheme="light")
    colleague = context.new_page()
    email = sign_up(colleague, stack, "Luis Paz")
    invite(page, home, email, "admin")
    colleague.goto(mailed_link(stack, email, "/invitations/"))
    colleague.get_by_role("button", name="Accept the invitation").click()
    colleague.wait_for_url(home)
    for role in ROLES:
        with stack.database():
            user_id = User.objects.get(email=email).id
            change_role(organization_id=organization_id, user_id=user_id, role=role, actor=SYSTEM)
        check_pages_of(colleague, home, role)
    check_pages_of(page, home, "owner")

    page.goto(f"{home}/keys")
    page.locator("#main tbody a").first.click()
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.locator("#toasts")).to_contain_text("revoked")
    answer = page.request.get(
        f"{stack.url}/v1/models", headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status == 401

    page.goto(f"{home}/settings/ownership")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name=f"Delete {name}").click()
    expect(page.locator("#main")).to_contain_text("This organization is to be deleted.")
    shoot(page, "life-end")
    with stack.database():
        assert Organization.objects.get(id=organization_id).deletion_due_at is not None
    context.close()
