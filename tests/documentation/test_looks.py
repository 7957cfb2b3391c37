"""The site in a browser, from files: readable in both themes and on a phone, and searchable."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.architecture.tree import DOCS
from tests.e2e.browser import AXE, GRAVE, SCHEMES, launch

pytestmark = [pytest.mark.big, pytest.mark.timeout(600)]
PAGES = ("index", "api", "capacity", "changelog", "concepts", "finance", "ledger", "settings")
WIDTHS = (1280, 360)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", str(DOCS), str(folder)]
    subprocess.run(command, check=True, timeout=200)
    return folder


@pytest.fixture
def asked(browser_page: Page) -> list[str]:
    urls: list[str] = []
    browser_page.on("request", lambda request: urls.append(request.url))
    return urls


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser.new_page()
        browser.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_at_any_width(site, browser_page, asked, name):
    for width in WIDTHS:
        for scheme in SCHEMES:
            browser_page.set_viewport_size({"width": width, "height": 800})
            browser_page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            browser_page.goto((site / f"{name}.html").as_uri())
            wide = browser_page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert (wide, _grave(browser_page)) == (0, []), f"{width} {scheme}"

    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_words_are_found_without_a_server(site, browser_page, asked):
    browser_page.goto((site / "index.html").as_uri())
    browser_page.get_by_role("textbox", name="Search").fill("hold")
    browser_page.keyboard.press("Enter")

    # Results are shown one after the other.
    browser_page.locator("#search-results li a", has_text="Concepts").first.wait_for()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def _grave(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]
