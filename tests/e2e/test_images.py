"""An image's life in the console: the playground, the gallery, its drawer, the log."""

from playwright.sync_api import Page, expect

from tests.e2e.browser import Member, check_accessible, expect_page, shoot, sign_in
from tests.stack import Stack


def test_an_image_is_drawn_found_looked_at_and_drawn_again(
    browser_page: Page, stack: Stack
) -> None:
    page, member = browser_page, Member(stack, role="developer")
    sign_in(page, stack, member.email)
    page.goto(member.home)
    page.get_by_role("button", name="Live").click()
    page.goto(f"{member.home}/gallery")
    expect(page.get_by_role("heading", name="No images of test mode yet")).to_be_visible()

    page.goto(f"{member.home}/playground?model=fal/flux-1.1-pro")
    expect_page(page, "Playground")
    page.fill("#prompt", "a hare in a wood")
    page.locator(".picker > summary").click()
    page.locator(".picker-list input[value='openai/gpt-image-1']").check()
    expect(page.locator("#chosen")).to_contain_text("GPT Image 1")
    page.keyboard.press("Escape")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".result .result-image > img")).to_have_count(2, timeout=30_000)
    expect(page.locator(".result-foot a[aria-label=Download]")).to_have_count(2, timeout=30_000)
    check_accessible(page)
    shoot(page, "playground")

    page.goto(f"{member.home}/gallery?q=hare")
    expect(page.locator(".grid-item img")).to_have_count(2, timeout=30_000)
    check_accessible(page)
    shoot(page, "gallery")
    page.locator(".grid-item > a").first.click()
    expect(page.locator("#drawer .detail")).to_contain_text("The way of the money")
    expect(page.locator("#drawer .detail")).not_to_contain_text("E+")
    check_accessible(page)
    shoot(page, "gallery-image")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#drawer .detail")).to_contain_text("The way of the money")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_have_count(0)

    page.goto(f"{member.home}/requests")
    expect(page.locator("#log tbody tr")).to_have_count(2)
    check_accessible(page)
    shoot(page, "requests")
    page.locator(".log-request a").first.click()
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url("**/requests/*")
    expect(page.locator("#log tbody tr")).to_have_count(3)
    expect(page.locator("#drawer .detail")).to_contain_text("a")
    shoot(page, "request")
