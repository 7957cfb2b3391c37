"""Taxes in the browser: finance sets one, a customer sees the total, pays, keeps the invoice."""

from playwright.sync_api import Page, expect

from orgs.models import Organization
from tests.e2e.browser import Member, Scheme, check_accessible, expect_page, shoot, sign_in
from tests.stack import Stack

# The pages are made of the same parts: each theme is checked on half of them.
LIGHT: tuple[Scheme, ...] = ("light",)
DARK: tuple[Scheme, ...] = ("dark",)


def look(page: Page, title: str, name: str, schemes: tuple[Scheme, ...]) -> None:
    expect_page(page, title)
    check_accessible(page, schemes=schemes)
    shoot(page, name)


def test_tax_is_set_seen_paid_and_invoiced(browser_page: Page, stack: Stack) -> None:
    page, owner, finance = browser_page, Member(stack), Member(stack, staff="finance")
    with stack.database():
        Organization.objects.filter(id=owner.organization.id).update(
            legal_name="Talleres Gráficos del Norte, S.A. de C.V.",
            billing_address="Av. Constitución 1000\n64000 Monterrey",
            billing_country="MX",
            tax_id="TGN010101AAA",
        )
    sign_in(page, stack, finance.email)
    page.goto(f"{stack.url}/finance/taxes/new")
    page.get_by_label("Country").fill("MX")
    page.get_by_label("Name of the tax").fill("IVA")
    page.get_by_label("Percent").fill("16")
    look(page, "Set a tax", "finance-tax-rate", LIGHT)
    page.get_by_role("button", name="Set the tax").click()
    look(page, "Taxes", "finance-taxes", DARK)
    page.goto(f"{stack.url}/finance/taxes/organizations/{owner.organization.id}")
    look(page, "Talleres", "finance-tax-profile", LIGHT)
    page.context.clear_cookies()

    sign_in(page, stack, owner.email)
    page.goto(f"{owner.home}/billing/add")
    page.get_by_label("Amount").fill("500")
    expect(page.locator("#total")).to_contain_text("580.00")
    look(page, "Add money", "add-money-with-tax", DARK)
    page.get_by_role("button", name="Go on to pay").click()
    expect(page.get_by_text("IVA 16 %: 80.00")).to_be_visible()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_text("The money is in the wallet.")).to_be_visible()
    page.reload()
    look(page, "Receipt: 580.00 MXN", "payment-with-tax", LIGHT)

    page.goto(f"{owner.home}/billing/invoices")
    look(page, "Invoices", "invoices", DARK)
    page.get_by_role("link", name="Invoice TEST-").click()
    expect(page.get_by_text("Talleres Gráficos del Norte")).to_be_visible()
    number = page.locator("h1").inner_text()
    look(page, number, "invoice", LIGHT)
    page.context.clear_cookies()

    sign_in(page, stack, finance.email)
    page.goto(f"{stack.url}/finance/reports/tax")
    look(page, "Reports", "finance-tax", DARK)
    page.locator("tr", has_text="IVA").locator("td[data-label=Invoices] a").click()
    page.get_by_role("link", name=number).click()
    look(page, number, "finance-invoice", LIGHT)
