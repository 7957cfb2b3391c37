"""Refunds in the browser: found, asked for, approved, and what the organization sees of it."""

from decimal import Decimal
from uuid import uuid4

from playwright.sync_api import Page, expect

from billing.services.prices import set_price
from billing.services.refunds.adjustments import WalletChange, ask_adjustment
from billing.services.refunds.asking import ask_refund
from core.clock import now
from core.ids import request_id
from tests.billing.scene import Scene
from tests.e2e.browser import Member, Scheme, check_accessible, expect_page, shoot, sign_in
from tests.gateway.console_services.scene import deliver
from tests.orgs.people import Team, person
from tests.stack import Stack

# The pages are made of the same parts: each theme is checked on half of them.
LIGHT: tuple[Scheme, ...] = ("light",)
DARK: tuple[Scheme, ...] = ("dark",)


def look(page: Page, title: str, name: str, schemes: tuple[Scheme, ...]) -> None:
    expect_page(page, title)
    check_accessible(page, schemes=schemes)
    shoot(page, name)


def test_finance_refunds_images_and_the_organization_sees_its_credit_note(
    browser_page: Page, stack: Stack
) -> None:
    page, finance = browser_page, Member(stack, staff="finance")
    with stack.database():
        team = Team(finance.organization)
        generation_id = deliver(team.key_of(team.person("developer")), images=3).id
        other = person(staff_role="finance").actor
        scene = Scene(finance.organization.id, uuid4(), "MXN", f"test/{uuid4().hex}")
        set_price(model_key=scene.model_key, amount=Decimal("0.84"), currency="MXN", now=scene.at)
        scene.top_up(10_000_000)
        scene.authorize(3, reference=str(generation_id), with_key=False)
        scene.capture(str(generation_id), images=3)
        refund = ask_refund(
            reference=str(generation_id),
            artifacts=[f"{generation_id}/0", f"{generation_id}/2"],
            reason="The customer got a picture of something else.",
            actor=other,
            now=now(),
        )
        change = WalletChange("debit", 1_500_000, "MXN", "Paid out by hand.")
        adjustment = ask_adjustment(
            organization_id=finance.organization.id, change=change, actor=other, now=now()
        )
    sign_in(page, stack, finance.email)
    refunds = f"{stack.url}/finance/refunds"
    page.goto(refunds)
    look(page, "Refunds", "refunds", LIGHT)

    page.get_by_label("Refund images of a request").fill(request_id(generation_id))
    page.get_by_role("button", name="Find its charge").click()
    look(page, "Ask for a refund", "refund-ask", DARK)
    page.get_by_label("Image 2").check()
    page.get_by_label("Reason").fill("Blurred.")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("you can take it back")).to_be_visible()

    page.goto(f"{refunds}/{refund.id}")
    look(page, "Refund: 1.68 MXN", "refund", LIGHT)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("is issued.")).to_be_visible()
    page.goto(f"{refunds}/adjustments/{adjustment.id}")
    look(page, "Debit of a wallet", "adjustment", DARK)
    page.goto(f"{refunds}/adjustments/new")
    look(page, "Adjust a wallet", "adjustment-ask", LIGHT)

    page.goto(f"{finance.home}/credit-notes")
    look(page, "Credit notes", "credit-notes", DARK)
    page.locator("tbody a").first.click()
    look(page, page.locator("h1").inner_text(), "credit-note", LIGHT)
    page.goto(f"{finance.home}/billing/requests/{generation_id}")
    expect(page.get_by_text("Credit notes of this request")).to_be_visible()
    shoot(page, "refund-trail")
