"""What every page has around it."""

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.e2e.browser import LOADED, Member, check_accessible, expect_page, shoot, sign_in
from tests.stack import Stack


def test_home_is_accessible_and_its_files_are_kept_and_compressed(
    browser_page: Page, stack: Stack
) -> None:
    page, member = browser_page, Member(stack, staff="operator")
    sign_in(page, stack, member.email)
    page.goto(member.home)
    expect_page(page, "Home")
    check_accessible(page)
    shoot(page, "home")

    loaded: dict[str, int] = page.evaluate(LOADED)
    files = [url for url in loaded if url.startswith(f"{stack.url}/static/")]
    assert len(files) >= 5
    for url in files:
        answer = requests.head(url, headers={"Accept-Encoding": "gzip"}, timeout=10)
        assert "immutable" in answer.headers["Cache-Control"], url
        is_font = url.endswith(".woff2")
        assert (answer.headers.get("Content-Encoding") == "gzip") != is_font, url


def test_theme_language_and_mode_stay_where_they_were_set(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    sign_in(page, stack, member.email)
    page.goto(member.home)
    page.locator("summary[title=Theme]").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="Live").click()
    expect(page.locator(".mode-switch")).to_have_text("Test")
    page.locator("summary[title=Language]").click()
    page.get_by_role("button", name="Español").click()
    expect_page(page, "Inicio")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.locator(".mode-switch")).to_have_class("mode-switch is-test")


def test_menu_of_a_narrow_window_opens_and_closes_by_keyboard(
    browser_page: Page, stack: Stack
) -> None:
    page, member = browser_page, Member(stack)
    page.set_viewport_size({"width": 360, "height": 780})
    sign_in(page, stack, member.email)
    page.goto(member.home)
    expect(page.locator("#side")).not_to_be_in_viewport()
    opener = page.get_by_role("button", name="Open the menu")
    opener.press("Enter")
    expect(page.get_by_role("link", name="Home")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.locator("#side")).not_to_be_in_viewport()
    expect(opener).to_be_focused()


@pytest.mark.parametrize("path", ["/nothing", "/o/00000000-0000-4000-8000-000000000000"])
def test_what_is_not_there_says_so_on_a_page(
    path: str, browser_page: Page, stack: Stack, complaints: list[str]
) -> None:
    page, member = browser_page, Member(stack)
    sign_in(page, stack, member.email)
    answer = page.goto(f"{stack.url}{path}")
    assert answer is not None
    assert answer.status == 404
    expect_page(page, "Nothing is here")
    expect(page.locator(".error-page .ident")).to_contain_text("req_")
    shoot(page, "not-found")
    complaints[:] = [one for one in complaints if "404" not in one]


def test_a_clients_wrong_path_is_answered_in_json(stack: Stack) -> None:
    answer = requests.post(f"{stack.url}/chat/completions", json={}, timeout=10)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert "Set-Cookie" not in answer.headers
