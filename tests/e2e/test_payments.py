"""Paying in the browser: to Stripe's page and back, the saved card, and what finance sees."""

from datetime import timedelta

from playwright.sync_api import Page, expect

from billing.models import UnmatchedPayment
from billing.services.credits.granting import GrantTerms, request_grant
from billing.services.payments.transfers import Transfer, record_transfer
from core.clock import now
from tests.e2e.browser import Member, check_accessible, expect_page, shoot, sign_in
from tests.orgs.people import person
from tests.stack import Stack


def look(page: Page, url: str, title: str, name: str) -> None:
    page.goto(url)
    expect_page(page, title)
    check_accessible(page)
    shoot(page, name)


def test_money_is_added_by_card_and_again_by_itself(browser_page: Page, stack: Stack) -> None:
    page, owner = browser_page, Member(stack)
    sign_in(page, stack, owner.email)
    look(page, f"{owner.home}/billing/payments", "Payments", "payments-empty")
    page.goto(f"{owner.home}/billing")
    page.get_by_role("link", name="Add money").click()

    page.get_by_label("Amount").fill("500")
    page.get_by_label("Save the card").check()
    page.get_by_role("button", name="Go on to pay").click()
    expect(page.get_by_text("no real money")).to_be_visible()
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("alert")).to_contain_text("declined")
    page.get_by_role("button", name="Pay", exact=True).click()

    # The page looks by itself until the event has come.
    expect(page.get_by_text("The money is in the wallet.")).to_be_visible()
    look(page, page.url, "Receipt: 500.00 MXN", "payment-receipt")

    look(page, f"{owner.home}/billing/automatic", "Automatic top-up", "automatic-top-up")
    page.get_by_label("When less is available than").fill("600")
    page.get_by_label("Add each time").fill("300")
    page.get_by_label("At most in a month").fill("900")
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("button", name="Save the terms")).to_be_visible()
    look(page, f"{owner.home}/billing/add", "Add money", "add-money")
    look(page, f"{owner.home}/billing/payments", "Payments", "payments")


def test_finance_approves_a_transfer_and_sees_unmatched_money(
    browser_page: Page, stack: Stack
) -> None:
    page, finance = browser_page, Member(stack, staff="finance")
    with stack.database():
        UnmatchedPayment.objects.create(
            reference=f"pi_{finance.organization.id.hex}",
            amount_micros=1_234_560_000,
            currency="MXN",
            reason="organization",
            claim=str(finance.organization.id),
            is_booked=True,
            created_at=now(),
        )
        payment = record_transfer(
            organization_id=finance.organization.id,
            transfer=Transfer(
                25_000_500_000, "MXN", f"SPEI {finance.organization.id.hex}", now().date()
            ),
            actor=person(staff_role="finance").actor,
            now=now(),
        )
    sign_in(page, stack, finance.email)
    look(page, f"{stack.url}/finance/top-ups/transfer", "Record a transfer", "finance-transfer")
    unmatched = f"{stack.url}/finance/top-ups/unmatched/pi_{finance.organization.id.hex}"
    look(page, unmatched, "Unmatched payment", "finance-unmatched")
    title = "Payment: 25,000.50 MXN"
    look(page, f"{stack.url}/finance/top-ups/{payment.id}", title, "finance-topup")

    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("The payment is credited.")).to_be_visible()
    look(page, f"{stack.url}/finance/top-ups", "Top-ups", "finance-topups")


def test_finance_gives_credit_and_its_organization_sees_it(
    browser_page: Page, stack: Stack
) -> None:
    page, finance = browser_page, Member(stack, staff="finance")
    with stack.database():
        grant = request_grant(
            organization_id=finance.organization.id,
            terms=GrantTerms(250_000_000, "MXN", now() + timedelta(days=30), "For the outage"),
            actor=person(staff_role="finance").actor,
            now=now(),
        )
    sign_in(page, stack, finance.email)
    look(page, f"{stack.url}/finance/credit/new", "Give credit", "finance-credit-new")
    page.goto(f"{stack.url}/finance/credit")
    expect(page.get_by_role("heading", name="To approve")).to_be_visible()
    title = "Promotional credit: 250.00 MXN"
    look(page, f"{stack.url}/finance/credit/{grant.id}", title, "finance-credit-one")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("The credit is given.")).to_be_visible()
    look(page, f"{stack.url}/finance/credit", "Promotional credit", "finance-credit")
    look(page, f"{finance.home}/billing", "Billing", "billing-credit")
    page.get_by_role("link", name="Promotional credit", exact=True).click()
    expect(page.locator("tbody").last).to_contain_text("Promotional credit")
