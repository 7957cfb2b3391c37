"""An image's second life: sent on to be edited and varied, with what came of it, and taken home."""

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.browser import Member, check_accessible, expect_page, shoot, sign_in
from tests.stack import Stack

DRAWN = 30_000


def test_an_image_is_edited_and_varied_and_its_lineage_shown(
    browser_page: Page, stack: Stack, tmp_path: Path
) -> None:
    page, member = browser_page, Member(stack, role="developer")
    sign_in(page, stack, member.email)
    page.goto(member.home)
    page.get_by_role("button", name="Live").click()
    page.goto(f"{member.home}/playground?mode=edit")
    expect(page.locator("#history")).to_contain_text("What you run here")
    page.goto(f"{member.home}/playground?model=openai/gpt-image-1&prompt=a%20fox")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".result-actions")).to_have_count(1, timeout=DRAWN)

    page.locator(".result-actions").get_by_text("Edit").click()
    expect(page.locator(".sources img")).to_have_count(1)
    expect(page.locator("#estimate")).to_contain_text("1 image sent along")
    own = io.BytesIO()
    Image.effect_noise((320, 320), 60).convert("RGB").save(own, "PNG")
    path = tmp_path / "own.png"
    path.write_bytes(own.getvalue())
    page.set_input_files("#upload", path)
    expect(page.locator("#estimate")).to_contain_text("2 images sent along")
    expect(page.locator("#code")).to_contain_text("image-2.png")
    page.fill("#prompt", "at night")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".result-actions")).to_have_count(1, timeout=DRAWN)
    expect(page.locator("#history li")).to_have_count(2)
    expect(page.locator("#history img")).to_have_count(2, timeout=DRAWN)
    check_accessible(page)
    shoot(page, "playground-edit")

    page.locator(".result-actions").get_by_text("Vary").click()
    page.locator(".playground-form .btn-primary").click()
    expect(page.locator(".result-actions")).to_have_count(1, timeout=DRAWN)
    page.locator("#history li").nth(2).locator("a").click()
    expect(page.locator("#prompt")).to_have_value("a fox")

    page.goto(f"{member.home}/gallery")
    page.locator(".grid-item > a").nth(2).focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator("#drawer .lineage")).to_contain_text("Made of")
    expect(page.locator("#drawer .lineage")).to_contain_text("What was made of it")
    expect(page.locator("#drawer .lineage")).to_contain_text("1 image that is not in the gallery")
    expect(page.locator("#drawer .lineage img")).to_have_count(2)
    check_accessible(page)
    shoot(page, "gallery-lineage")
    page.keyboard.press("Escape")
    expect(page.locator(".grid-item > a").nth(1)).to_be_focused()

    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("[data-chosen]")).to_have_text("2")
    page.get_by_role("button", name="Download as ZIP").click()
    expect(page.get_by_role("link", name="Download")).to_be_visible(timeout=DRAWN)
    page.goto(f"{member.home}/gallery/exports")
    expect_page(page, "Exports")
    expect(page.locator("tbody tr")).to_contain_text("2 of 2 images")
    check_accessible(page)
    shoot(page, "exports")
