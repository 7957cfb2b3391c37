"""Operators in the browser: a model's price, a provider taken out, queues, and findings."""

from datetime import timedelta

from playwright.sync_api import Page, expect

from core.clock import now
from gateway.models import Finding, Pause
from gateway.services.operations.findings import Found, Kind, report
from tests.e2e.browser import Member, Scheme, check_accessible, expect_page, shoot, sign_in
from tests.gateway.services.rows import add_attempt, add_generation, open_key
from tests.stack import Stack

MODEL = "google/imagen-4"
# The pages are made of the same parts: each theme is checked on half of them.
LIGHT: tuple[Scheme, ...] = ("light",)
DARK: tuple[Scheme, ...] = ("dark",)


def look(page: Page, url: str, title: str, name: str, schemes: tuple[Scheme, ...]) -> None:
    page.goto(url)
    expect_page(page, title)
    look_here(page, name, schemes)


def look_here(page: Page, name: str, schemes: tuple[Scheme, ...]) -> None:
    check_accessible(page, schemes=schemes)
    shoot(page, f"operations-{name}")


def arrange(stack: Stack) -> str:
    """Add what the pages show, a day of calls and faults; return a finding's object."""
    with stack.database():
        generation = add_generation(open_key(), status="failed", finished_at=now())
        for number in range(1, 12):
            has_failed = number % 4 == 0
            add_attempt(
                generation,
                number=number,
                provider="ideogram",
                upstream_model="V_2",
                ended_at=now() - timedelta(hours=2 * number),
                seconds=3 + number % 4,
                status="failed" if has_failed else "succeeded",
                error_kind="BadResponse" if has_failed else "",
                error_message="no data" if has_failed else "",
            )
        # Of kinds that the running sweeper does not look for: it would close them.
        for kind, object_type, words in (
            (Kind.LEDGER_VIOLATION, "gateway_generation", "holds: is open without an open hold"),
            (Kind.ROLLUP_DIFFERENCE, "gateway_rollup", "rollup: 3 images counted, its rows say 2"),
        ):
            report(
                Found(kind, object_type, str(generation.id), words, generation.organization_id),
                now=now(),
            )
    return str(generation.id)


def test_operators_look_after_models_providers_queues_and_findings(
    browser_page: Page, stack: Stack
) -> None:
    page, operator = browser_page, Member(stack, staff="operator")
    object_id = arrange(stack)
    sign_in(page, stack, operator.email)
    base = f"{stack.url}/operations"

    look(page, f"{base}/models?q=imagen", "Models and routes", "models", LIGHT)
    look(page, f"{base}/models/{MODEL}", MODEL, "model", DARK)
    page.get_by_role("link", name="Set a price").click()
    page.get_by_label("List price of an image").fill("0.0001")
    page.get_by_label("Source").fill("A memo")
    page.get_by_role("button", name="Set the price").click()
    page.locator("#confirm .btn-danger").click()
    expect(page.locator("#id_amount_error")).to_contain_text("at a loss")
    look_here(page, "price", LIGHT)

    look(page, f"{base}/providers", "Providers", "providers", DARK)
    page.goto(f"{base}/providers/ideogram")
    page.get_by_label("Reason").fill("Its images are wrong")
    page.get_by_role("button", name="Pause it").click()
    page.locator("#confirm .btn-danger").click()
    expect(page.locator("main")).to_contain_text(f"Paused by {operator.email}")
    expect(page.locator("figure table")).to_contain_text("Failed")
    look_here(page, "provider", LIGHT)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#toasts")).to_contain_text("ideogram gets calls again.")
    with stack.database():
        assert not Pause.objects.filter(provider="ideogram").exists()

    look(page, f"{base}/queues", "Queues", "queues", DARK)
    expect(page.locator("#queues")).to_contain_text("Alive")
    expect(page.locator("#queues")).not_to_contain_text("it passes every two seconds")

    look(page, f"{base}/findings", "Findings", "findings", LIGHT)
    with stack.database():
        finding = Finding.objects.get(kind=Kind.LEDGER_VIOLATION, object_id=object_id)
    page.goto(f"{base}/findings/{finding.id}")
    expect(page.locator("#drawer")).to_contain_text("What to do")
    look_here(page, "finding", DARK)
    page.get_by_label("Note").fill("An entry corrects it.")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#drawer")).to_contain_text("An entry corrects it.")

    page.goto(f"{base}/findings")
    page.get_by_role("button", name="Check the ledger now").click()
    expect(page.locator("#check")).to_contain_text("The ledger was checked", timeout=60_000)
    with stack.database():
        finding.refresh_from_db()
    assert (finding.acknowledged_by, finding.resolved_at is None) == (operator.email, False)
