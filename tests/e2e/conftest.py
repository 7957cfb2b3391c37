"""A browser for tests of pages."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.browser import launch, watched
from tests.stack import Stack


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests of pages; its loop would be in the way of others."""
    # The loop runs in this thread, and Django would refuse to touch the database beside it.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of; a test that expects some takes them out."""
    return []


@pytest.fixture
def browser_page(browser: Browser, stack: Stack, complaints: list[str]) -> Iterator[Page]:
    """A page of a new visitor, at the product. It must give the browser nothing to complain of."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="en-US", color_scheme="light"
    )
    context.set_default_timeout(15_000)
    with watched(context.new_page(), complaints) as page:
        yield page
    context.close()
    assert complaints == []
