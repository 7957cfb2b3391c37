"""Exchange rates in the browser: the overview, a pair with its chart, and a rate set by hand."""

from datetime import timedelta
from decimal import Decimal

from playwright.sync_api import Page, expect

from billing.models import FxRate
from billing.services.rates.manual import ManualRate, set_manual_rate
from billing.services.rates.recording import record_rates
from billing.sources.types import PublishedRate
from core.clock import now
from orgs.models import User
from orgs.services.audit import Origin, user_actor
from tests.e2e.browser import Member, check_accessible, expect_page, shoot, sign_in
from tests.stack import Stack

# Of no other test: rates of the running product hold for all of them.
CURRENCY = "ISK"


def look(page: Page, url: str, title: str, name: str) -> None:
    page.goto(url)
    expect_page(page, title)
    check_accessible(page)
    shoot(page, name)


def publish(days: int) -> None:
    """Record wavering rates of some days, and a jump that is kept aside."""
    rows = [
        FxRate(
            base="USD",
            quote=CURRENCY,
            rate=Decimal(118 + (number * 7) % 11),
            source="ecb",
            as_of=now() - timedelta(days=days - number),
            created_at=now(),
        )
        for number in range(days)
    ]
    FxRate.objects.bulk_create(rows)
    jump = PublishedRate("USD", CURRENCY, Decimal("210.5"), now())
    assert record_rates(source="ecb", rates=[jump], now=now()).aside == 1


def test_finance_looks_at_rates_and_sets_one(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack, staff="finance")
    other = Member(stack, staff="finance")
    url = f"{stack.url}/finance/rates"
    with stack.database():
        publish(60)
        actor = user_actor(User.objects.get(email=other.email), origin=Origin())
        rate = ManualRate("USD", CURRENCY, Decimal(122), "Agreed with the bank until Monday")
        set_manual_rate(terms=rate, actor=actor, now=now())
    sign_in(page, stack, member.email)

    look(page, url, "Exchange rates", "finance-rates")
    expect(page.locator("#aside + p + .table-shell")).to_contain_text(f"USD/{CURRENCY}")
    look(page, f"{url}/USD/{CURRENCY}", f"USD/{CURRENCY}", "finance-rate")
    expect(page.locator("figure table")).to_contain_text("European Central Bank")

    page.get_by_role("link", name="Set a rate").click()
    expect_page(page, "Set a rate")
    page.get_by_label("Rate", exact=True).fill("123.5")
    page.get_by_label("Reason").fill("The bank's word of today")
    look_at_form = page.url
    check_accessible(page)
    page.get_by_role("button", name="Set the rate").click()
    expect(page.locator(".tile-figure").first).to_contain_text("123.5")
    look(page, look_at_form, "Set a rate", "finance-rate-new")
