"""Finance reconciles a provider and closes a month, in the browser."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from playwright.sync_api import FilePayload, Page, expect

from billing.services.costs import post_attempt_cost
from core.clock import now
from gateway.models import Check, Finding
from tests.e2e.browser import Member, Scheme, check_accessible, expect_page, shoot, sign_in
from tests.gateway.services.rows import add_attempt, add_generation, open_key
from tests.stack import Stack

# The pages are made of the same parts: each theme is checked on half of them.
LIGHT: tuple[Scheme, ...] = ("light",)
DARK: tuple[Scheme, ...] = ("dark",)
HEADING = "date,model,quantity,amount,currency,request_id\n"


def arrange() -> str:
    """Book two calls of 1999-03, before all else; return a file with one twice, one dearer."""
    ids = []
    for day, model, cost in ((3, "fal-ai/flux-pro/v1.1", 40_000), (4, "fal-ai/flux/dev", 25_000)):
        at = datetime(1999, 3, day, 12, tzinfo=UTC)
        generation = add_generation(open_key(), status="failed", finished_at=now())
        ids.append(uuid4().hex)
        attempt = add_attempt(
            generation,
            number=1,
            ended_at=at,
            status="failed",
            upstream_model=model,
            upstream_id=ids[-1],
            cost_micros=cost,
            indexes=[0],
        )
        post_attempt_cost(
            attempt_reference=str(attempt.id),
            provider="fal",
            amount=Decimal(cost) / 10**6,
            now=at,
        )
    return (
        HEADING
        + f"1999-03-03,fal-ai/flux-pro/v1.1,1,0.04,USD,{ids[0]}\n" * 2
        + f"1999-03-04,fal-ai/flux/dev,1,0.031,USD,{ids[1]}\n"
    )


def look(page: Page, name: str, schemes: tuple[Scheme, ...]) -> None:
    check_accessible(page, schemes=schemes)
    shoot(page, f"finance-{name}")


def upload(page: Page, text: str) -> None:
    page.locator("[name=provider]").select_option("fal")
    file = FilePayload(name="fal-march.csv", mimeType="text/csv", buffer=text.encode())
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()


def test_finance_reconciles_a_provider_and_closes_a_month(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack, staff="finance")
    with stack.database():
        text = arrange()
        Finding.objects.update(resolved_at=now())
        done = {"started_at": now(), "finished_at": now(), "error": "", "requested_at": None}
        Check.objects.update_or_create(name="ledger", defaults=done)
    sign_in(page, stack, member.email)
    page.goto(f"{stack.url}/finance/close")
    expect_page(page, "Close")
    expect(page.locator("#checklist")).to_contain_text("8 of 9 done")
    look(page, "close-open", DARK)
    page.get_by_role("link", name="Neither reconciled nor waived: fal").click()
    expect_page(page, "Reconciliation")

    page.get_by_role("link", name="Import a file").first.click()
    upload(page, text + "soon,a,1,1,USD,\n")
    expect(page.get_by_text("This is no date")).to_be_visible()
    check_accessible(page, schemes=LIGHT)
    upload(page, text)
    expect_page(page, "fal-march.csv")
    look(page, "reconciliation-file", DARK)
    for model, kind in (
        ("fal-ai/flux-pro/v1.1", "Charged twice"),
        ("fal-ai/flux/dev", "Another amount"),
    ):
        page.get_by_role("link", name=model).click()
        expect_page(page, kind)
        page.get_by_label("Reason").fill("The provider corrects it with the next invoice.")
        if kind == "Charged twice":
            look(page, "reconciliation-difference", LIGHT)
        page.get_by_role("button", name="Contest it").click()
        expect(page.get_by_role("button", name="Open it again")).to_be_visible()
        page.get_by_role("link", name="fal-march.csv").click()
    page.goto(f"{stack.url}/finance/reconciliation")
    expect(page.locator("#files + .table-shell")).to_contain_text("All decided")

    page.goto(f"{stack.url}/finance/close")
    expect(page.locator("#checklist")).to_contain_text("9 of 9 done")
    page.get_by_role("button", name="Close March 1999").click()
    page.locator("dialog").get_by_role("button", name="Close March 1999").click()
    expect(page.get_by_text("March 1999 is closed")).to_be_visible()
    expect(page.locator("#month")).to_have_text("April 1999")
    look(page, "close", LIGHT)


def test_finance_compares_a_report_of_stripe(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack, staff="finance")
    report = (
        "balance_transaction_id,created_utc,reporting_category,currency,gross,fee,source_id,"
        "payment_intent_id,automatic_payout_id\n"
        "txn_1,1999-03-04 10:00:00,charge,mxn,123456.78,4321.05,ch_1,pi_3unheard0of,po_1QxTail\n"
    )
    sign_in(page, stack, member.email)
    page.goto(f"{stack.url}/finance/reconciliation/stripe")
    expect_page(page, "Stripe")
    file = FilePayload(name="report.csv", mimeType="text/csv", buffer=report.encode())
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#differences + .table-shell")).to_contain_text("Not booked here")
    look(page, "stripe", DARK)
    page.get_by_role("link", name="Book it").click()
    expect(page.get_by_label("Before fees")).to_have_value("123456.78")
    page.get_by_role("button", name="Book the payout").click()
    expect(page.locator("#payouts + .table-shell")).to_contain_text("po_1QxTail")
