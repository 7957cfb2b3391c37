"""Finance looks at the price book, changes a price, and imports a price list."""

from decimal import Decimal

from playwright.sync_api import FilePayload, Page, expect

from billing.services.fx import set_rate
from core.clock import now
from tests.e2e.browser import Member, check_accessible, expect_page, shoot, sign_in
from tests.stack import Stack

# Above the platform's, so that other tests lose nothing by it; no test has a wallet in it.
LIST = """\
model,size,quality,currency,amount,source
dall-e-3,1024x1024,standard,PEN,0.40,Lista de precios
dall-e-3,1024x1024,hd,PEN,0.80,Lista de precios
flux-1.1-pro,1024x1024,,PEN,0.05,Lista de precios
"""


def csv_file(text: str) -> FilePayload:
    return {"name": "prices.csv", "mimeType": "text/csv", "buffer": text.encode()}


def test_finance_imports_a_price_list(browser_page: Page, stack: Stack) -> None:
    page, staff = browser_page, Member(stack, staff="finance")
    with stack.database():
        set_rate(
            base="USD", quote="PEN", rate=Decimal("3.7"), source="manual", as_of=now(), now=now()
        )
    sign_in(page, stack, staff.email)
    page.goto(f"{stack.url}/finance/prices?q=dall-e")
    expect_page(page, "Price book")
    check_accessible(page)
    shoot(page, "finance-prices")
    page.goto(f"{stack.url}/finance/prices?kind=cost&q=dall-e")
    check_accessible(page)
    shoot(page, "finance-costs")
    page.get_by_role("link", name="Costs of openai/dall-e-3").click()
    page.get_by_label("Of what").select_option("An image, 1024x1024 hd")
    page.get_by_label("Cost in USD").fill("0.99")
    page.get_by_label("Source").fill("Price list")
    page.get_by_label("Reason").fill("Dearer")
    page.get_by_role("button", name="Set the cost").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Set the cost").press("Enter")
    expect(page.locator("main")).to_contain_text("At this cost images would sell at a loss.")
    check_accessible(page)
    shoot(page, "finance-route-costs")
    page.goto(f"{stack.url}/finance/prices/change?model=dall-e-3&currency=PEN&size=1024x1024")
    check_accessible(page)
    shoot(page, "finance-change-price")
    page.goto(f"{stack.url}/finance/prices/markups")
    check_accessible(page)
    shoot(page, "finance-markups")

    page.goto(f"{stack.url}/finance/prices/import")
    page.get_by_label("CSV file").set_input_files(csv_file(LIST.replace("hd", "better")))
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("main")).to_contain_text("The model has no such quality.")
    check_accessible(page)
    shoot(page, "finance-import-errors")
    page.get_by_label("CSV file").set_input_files(csv_file(LIST))
    page.get_by_role("button", name="Look at it").click()
    expect_page(page, "Import 3 prices?")
    check_accessible(page)
    shoot(page, "finance-import-preview")
    page.get_by_label("Reason").fill("New list")
    page.get_by_label("Set it though").check()
    page.get_by_role("button", name="Import the prices").press("Enter")
    expect(page.locator("#toasts")).to_contain_text("3 prices imported.")
    page.get_by_role("link", name="pen · PEN").click()
    expect(page.locator("tbody")).to_contain_text("0.80")
    expect(page.locator("tbody")).to_contain_text("loss")
    check_accessible(page)
    shoot(page, "finance-prices-loss")
    page.locator("tbody").get_by_role("link").first.click()
    expect(page.locator("main")).to_contain_text("In force")
    check_accessible(page)
    shoot(page, "finance-price-history")
