"""How much a first visit loads: whatever is not an image, as it is transferred."""

from collections import Counter
from typing import Any

from playwright.sync_api import Page

from tests.e2e.browser import Member, sign_in
from tests.stack import Stack

MOST_BYTES = 300_000
PAGES = (
    *("", "/playground", "/gallery", "/requests", "/usage", "/billing", "/budgets"),
    *("/keys", "/webhooks", "/members", "/settings", "/audit-log"),
)


def test_no_page_loads_more_than_300_kb(browser_page: Page, stack: Stack) -> None:
    page, member = browser_page, Member(stack)
    sign_in(page, stack, member.email)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    kinds: dict[str, str] = {}
    loaded: Counter[str] = Counter()

    def received(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def finished(event: dict[str, Any]) -> None:
        loaded[kinds.get(event["requestId"], "")] += event["encodedDataLength"]

    network.on("Network.responseReceived", received)
    network.on("Network.loadingFinished", finished)
    totals = {}
    for path in PAGES:
        loaded.clear()
        answer = page.goto(f"{member.home}{path}", wait_until="networkidle")
        assert answer is not None
        assert answer.ok, path
        assert loaded["Stylesheet"] > 0, path
        totals[path] = sum(count for kind, count in loaded.items() if kind != "Image")

    assert {path: count for path, count in totals.items() if count > MOST_BYTES} == {}
