"""Money in the browser: home, usage down to a single charge, the wallet, and a budget."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Page, expect

from billing.services.statements.issuing import issue_due_statements
from core.clock import now
from orgs.models import ApiKey, Organization
from orgs.services.audit import SYSTEM
from orgs.services.organizations import add_member, create_user
from tests.e2e.browser import PASSWORD, Member, check_accessible, expect_page, shoot, sign_in
from tests.gateway.services.rows import add_generation
from tests.gateway.services.test_rollups import charge
from tests.moments import next_month
from tests.stack import Stack
from tests.tenants import Tenant, new_prompt


@pytest.fixture
def owner(stack: Stack, open_tenant: Callable[..., Tenant]) -> tuple[str, str]:
    """Return an e-mail address and the home of an organization with a month behind it."""
    tenant = open_tenant()
    email = f"{uuid4().hex[:12]}@example.com"
    for _ in range(2):
        assert tenant.generate(new_prompt()).status_code == 200
    with stack.database():
        organization = Organization.objects.get(id=tenant.organization_id)
        user = create_user(actor=SYSTEM, email=email, password=PASSWORD, name="Ana")
        add_member(organization=organization, user=user, role="owner", actor=SYSTEM)
        key = ApiKey.objects.get(id=tenant.api_key_id)
        for number in range(12):
            instant = now() - timedelta(days=number % 9, minutes=number)
            charge(key, instant, model=("fal/flux-1.1-pro", "google/imagen-4")[number % 2])
        add_generation(
            key, status="failed", error={"code": "generation_timeout"}, finished_at=now()
        )
    return email, f"{stack.url}/o/{organization.id}"


def look(page: Page, url: str, title: str, name: str) -> None:
    page.goto(url)
    expect_page(page, title)
    check_accessible(page)
    shoot(page, name)


def test_every_sum_leads_to_its_charges_and_each_charge_to_its_price(
    browser_page: Page, stack: Stack, owner: tuple[str, str]
) -> None:
    page, (email, home) = browser_page, owner
    sign_in(page, stack, email)
    page.goto(home)
    expect(page.locator(".strip img")).to_have_count(2)
    check_accessible(page)
    shoot(page, "home-figures")
    expect(page.locator(".balance")).to_contain_text("USD")
    look(page, f"{home}/usage", "Usage", "usage")
    expect(page.locator("figure table").first).to_contain_text("google/imagen-4")

    page.locator("tfoot a").first.click()
    expect_page(page, "Charges")
    total = page.locator(".tile-figure").inner_text()
    amounts = page.locator("td[data-label=Amount] .money").all_inner_texts()
    assert len(amounts) == 14
    micros = sum(round(float(one.split()[0]) * 1_000_000) for one in amounts)
    assert micros == round(float(total.split()[0]) * 1_000_000)
    look(page, page.url, "Charges", "charges")

    page.locator("td[data-label=Amount] a").first.click()
    expect(page.locator("#drawer")).to_contain_text("How the price came about")
    check_accessible(page)
    shoot(page, "transaction")
    page.keyboard.press("ArrowDown")
    page.wait_for_load_state()
    page.keyboard.press("Escape")
    expect_page(page, "Billing")
    expect(page.locator("#drawer")).to_have_count(0)
    look(page, f"{home}/billing", "Billing", "billing")

    with stack.database():
        issue_due_statements(now=next_month(), organization_id=UUID(home[-36:]))
    look(page, f"{home}/statements", "Statements", "statements")
    page.locator("tbody a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Statement no. 1")
    look(page, page.url, page.get_by_role("heading", level=1).inner_text(), "statement")


def test_a_budget_is_set_and_removed(
    browser_page: Page, stack: Stack, owner: tuple[str, str]
) -> None:
    page, (email, home) = browser_page, owner
    sign_in(page, stack, email)
    page.goto(f"{home}/budgets")
    page.get_by_role("link", name="Set a budget").click()
    page.get_by_label("Limit a month").fill("a lot")
    page.get_by_role("button", name="Save the budget").click()
    expect(page.locator("#id_limit_error")).to_be_visible()
    check_accessible(page)
    shoot(page, "budget")
    page.get_by_label("Limit a month").fill("0.70")
    page.get_by_role("button", name="Save the budget").click()
    expect(page.locator("#toasts")).to_contain_text("The budget is set.")
    look(page, f"{home}/budgets", "Budgets", "budgets")

    page.get_by_role("link", name="Change the budget").click()
    page.get_by_role("button", name="Remove the budget").click()
    expect(page.locator("#confirm")).to_contain_text("Remove the organization's budget?")
    page.locator("#confirm .btn-danger").click()
    expect(page.locator("main")).to_contain_text("No limit")


def test_a_new_organization_is_led_to_its_first_image(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    sign_in(page, stack, member.email)
    page.goto(member.home)
    page.locator("summary[title=Language]").click()
    page.get_by_role("button", name="Español").click()
    look(page, member.home, "Inicio", "home-first")
    for path, title in (("usage", "Uso"), ("billing", "Facturación"), ("budgets", "Presupuestos")):
        look(page, f"{member.home}/{path}", title, f"{path}-empty")
