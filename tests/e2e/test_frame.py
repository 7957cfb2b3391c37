"""What every page has around it."""

from gzip import compress
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Page, Response, expect

from tests.e2e.browser import Member, check_accessible, expect_page, shoot, sign_in
from tests.stack import Stack

FIRST_LOAD_BYTES = 300_000


def test_home_is_accessible_and_loads_little(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack, staff="operator")
    sign_in(page, stack, member.email)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright sets attributes
    page.goto(member.home)
    page.wait_for_load_state("networkidle")
    expect_page(page, "Home")
    check_accessible(page)
    shoot(page, "home")

    fresh = {
        url: requests.get(url, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=10)
        for url in {one.url for one in answers if urlsplit(one.url).path.startswith("/static/")}
    }
    assert len(fresh) >= 5
    for url, answer in fresh.items():
        assert "immutable" in answer.headers["Cache-Control"], url
    sent = sum(len(answer.raw.read()) for answer in fresh.values())
    assert sent + len(compress(page.content().encode())) <= FIRST_LOAD_BYTES


def test_theme_language_and_mode_stay_where_they_were_set(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    sign_in(page, stack, member.email)
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
