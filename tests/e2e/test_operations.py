"""An operator looks at organizations, looks on and acts in a member's place, and stops."""

from datetime import timedelta

from playwright.sync_api import Page, expect

from core.clock import now
from gateway.services.onboarding import KeyTerms, open_api_key
from orgs.models import ApiKey
from tests.e2e.browser import Member, check_accessible, expect_page, shoot, sign_in
from tests.gateway.services.rows import add_attempt, add_generation
from tests.stack import Stack


def busy(member: Member) -> ApiKey:
    """Give an organization a key, charges, and a request that failed."""
    key, _ = open_api_key(organization=member.organization, terms=KeyTerms(name="Web shop"))
    add_generation(
        key,
        status="succeeded",
        currency="MXN",
        served_by="fal/flux-1.1-pro",
        finished_at=now() - timedelta(hours=2),
    )
    failed = add_generation(
        key,
        status="failed",
        currency="MXN",
        parameters={"n": 1, "prompt": "a late hare"},
        finished_at=now(),
        error={"code": "generation_timeout", "message": "late"},
    )
    add_attempt(failed, number=1, ended_at=now(), upstream_id="job-1", cost_micros=40_000)
    return key


def act_as(page: Page, stack: Stack, member: Member, complaints: list[str]) -> None:
    """Act in the member's place, be refused what is not the organization's, and stop."""
    page.locator("#in-place").get_by_label("Member", exact=True).select_option(
        value=str(member.user_id)
    )
    page.get_by_role("radio", name="Act").check()
    page.locator("#in-place").get_by_label("Reason").fill("Ticket 7: their settings")
    page.get_by_role("button", name="Begin").click()
    banner = page.locator(".impersonation")
    expect(banner).to_contain_text(f"You act as {member.email} of Talleres")
    page.goto(f"{member.home}/members")
    check_accessible(page)
    shoot(page, "impersonation")
    page.goto(f"{stack.url}/accounts/password/change/")
    expect(page.locator(".error-code")).to_have_text("403")
    expect(banner).to_be_visible()
    shoot(page, "impersonation-refused")
    assert "403" in complaints.pop()
    banner.get_by_role("button", name="Stop").press("Enter")
    expect(banner).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text("yourself again")


def test_operator_looks_at_an_organization_and_acts_in_it(
    browser_page: Page, stack: Stack, complaints: list[str]
) -> None:
    page, member, staff = browser_page, Member(stack), Member(stack, staff="operator")
    with stack.database():
        busy(member)
    platform = f"{stack.url}/operations/organizations"
    sign_in(page, stack, staff.email)
    page.goto(f"{platform}?q=Talleres")
    expect_page(page, "Organizations")
    check_accessible(page)
    shoot(page, "operations-organizations")

    page.get_by_label("Name, id, e-mail address").fill(member.email)
    page.get_by_role("button", name="Find").press("Enter")
    page.locator("tbody").get_by_role("link", name="Talleres").click()
    check_accessible(page)
    shoot(page, "operations-organization")
    page.locator("#failures ~ .card").first.get_by_role("link").click()
    expect(page.locator(".attempts")).to_contain_text("job-1")
    expect(page.locator("main")).not_to_contain_text("a late hare")
    check_accessible(page)
    shoot(page, "operations-request")
    page.go_back()
    page.get_by_role("link", name="Members, keys, webhooks").click()
    expect(page.locator("main")).to_contain_text("Web shop")
    check_accessible(page)
    shoot(page, "operations-organization-people")

    page.get_by_role("link", name="Actions", exact=True).click()
    page.locator("#suspension").get_by_label("Reason").fill("Unpaid")
    page.get_by_role("button", name="Suspend Talleres").click()
    expect(page.locator("#confirm")).to_contain_text("Suspend Talleres?")
    page.locator("#confirm").get_by_role("button", name="Suspend").click()
    expect(page.locator("main")).to_contain_text("Unpaid")
    check_accessible(page)
    shoot(page, "operations-organization-actions")

    act_as(page, stack, member, complaints)
    page.get_by_role("link", name="Its whole audit log").click()
    check_accessible(page)
    page.locator("tbody").get_by_role("link", name="Operator began").click()
    expect(page.locator("#drawer")).to_contain_text("Ticket 7")
    check_accessible(page)
    shoot(page, "operations-audit")
