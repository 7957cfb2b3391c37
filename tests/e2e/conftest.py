"""A browser for tests of pages."""

import os
from collections.abc import Iterator

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.browser import launch, watched
from tests.stack import Stack


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests of pages; its loop would be in the way of others."""
    # The loop runs in this thread, and Django would refuse to touch the database beside it.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        # Passwords that are written here; the product hashes them again when it is given them.
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A browser's profile, whose cache the tests share: styles and scripts are read once."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        locale="en-US",
        color_scheme="light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of; a test that expects some takes them out."""
    return []


@pytest.fixture
def browser_page(visitor: BrowserContext, stack: Stack, complaints: list[str]) -> Iterator[Page]:
    """A page of a new visitor, at the product. It must give the browser nothing to complain of."""
    with watched(visitor.new_page(), complaints) as page:
        yield page
    # The product keeps nothing in a browser but cookies.
    for page in visitor.pages:
        page.close()
    visitor.clear_cookies()
    assert complaints == []
