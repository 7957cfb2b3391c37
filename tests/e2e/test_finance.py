"""Finance in the browser: the month, its reports, and down from a figure to an entry."""

import random
from datetime import UTC, timedelta
from decimal import Decimal
from uuid import UUID

from playwright.sync_api import Page, expect

from billing.services.holds import authorize_hold
from billing.services.quotes import Cell, quote_unit
from billing.services.topups import top_up
from core.clock import now
from tests.e2e.browser import Member, Scheme, check_accessible, expect_page, shoot, sign_in
from tests.gateway.reports.test_margin_days import sell
from tests.gateway.services.rows import open_key
from tests.stack import Stack

# The pages are made of the same parts: each theme is checked on half of them.
LIGHT: tuple[Scheme, ...] = ("light",)
DARK: tuple[Scheme, ...] = ("dark",)


def arrange(stack: Stack) -> UUID:
    """Sell images on several days, in two organizations, and leave a hold open in the first."""
    chance = random.Random(31)
    with stack.database():
        keys = [open_key() for _ in range(2)]
        for _ in range(16):
            sell(chance.choice(keys), chance)
        owner = keys[0].organization_id
        top_up(
            organization_id=owner,
            amount_micros=123_456_789_123_456,
            idempotency_key=f"long:{owner}",
            now=now(),
        )
        cell = Cell("rolled", "1024x1024", quality="", pixels=1024 * 1024)
        quote = quote_unit(organization_id=owner, currency="USD", cell=cell, now=now())
        authorize_hold(
            organization_id=owner,
            api_key_id=keys[0].id,
            reference=f"open:{owner}",
            quote=quote,
            count=2,
            deadline_at=now() + timedelta(seconds=60),
            now=now(),
        )
    return owner


def look(page: Page, name: str, schemes: tuple[Scheme, ...]) -> None:
    check_accessible(page, schemes=schemes)
    shoot(page, f"finance-{name}")


def test_finance_reads_the_month_and_goes_down_to_an_entry(
    browser_page: Page, stack: Stack
) -> None:
    page = browser_page
    owner = arrange(stack)
    sign_in(page, stack, Member(stack, staff="finance").email)
    page.goto(f"{stack.url}/finance/overview")
    expect_page(page, "Finance")
    look(page, "overview", LIGHT)

    today = now().astimezone(UTC).date()
    period = f"?since={today - timedelta(days=12)}&until={today}"
    reports = f"{stack.url}/finance/reports"
    page.goto(f"{reports}/margin{period}&by=model&organization={owner}")
    expect(page.locator("figure table").first).to_contain_text("google/imagen-4")
    look(page, "margin", DARK)
    cell = page.locator("tbody tr", has_text="google/imagen-4").locator("td[data-label=Revenue] a")
    figure = cell.first.inner_text().replace("\n", " ")
    cell.first.click()
    expect(page.locator(".tile-figure").first).to_contain_text(figure.split()[0])
    amounts = page.locator("td[data-label=Amount] .money").all_inner_texts()
    if page.locator("[rel=next]").count() == 0:
        total = sum(Decimal(one.split()[0].replace("\u2212", "-")) for one in amounts)
        assert total == Decimal(figure.split()[0])
    look(page, "margin-lines", LIGHT)
    page.locator("td[data-label=Amount] a").first.click()
    expect(page.locator("#postings")).to_be_visible()
    look(page, "entry", DARK)

    for path, name, schemes in (
        (f"{reports}{period}", "trial-balance", LIGHT),
        (f"{reports}/accounts/wallet/USD{period}", "account", DARK),
        (f"{reports}/accounts/wallet/USD/postings{period}", "postings", LIGHT),
        (f"{reports}/liability{period}", "liability", DARK),
        (f"{reports}/losses{period}&provider=bfl", "losses", LIGHT),
        (f"{reports}/cut-offs?month={today:%Y-%m}", "cutoffs", LIGHT),
        (f"{reports}/holds", "holds", DARK),
        (f"{reports}/journal{period}", "journal", LIGHT),
        (f"{reports}/margin?since=2001-01-01&until=2001-01-31", "empty", DARK),
    ):
        page.goto(path)
        look(page, name, schemes)
