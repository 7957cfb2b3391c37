"""What the tests of pages do with a browser: find it, sign in, look, and check."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, Playwright, expect

from gateway.services.onboarding import open_organization
from orgs.models import Organization, User
from orgs.services.audit import SYSTEM
from orgs.services.organizations import add_member, create_user
from tests.stack import Stack

ROOT = Path(__file__).resolve().parent.parent.parent
SCREENSHOTS = ROOT / "var" / "screenshots"
AXE = Path(__file__).parent / "vendor" / "axe-4.14.1" / "axe.min.js"
PASSWORD = "a long enough passphrase"
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = {1440: 900, 360: 780}
# Static text under a sticky bar and the like: only findings that keep people out count.
GRAVE = ("serious", "critical")
# Rules that find nothing graver: half of what axe-core does.
LESSER_RULES = """() => Object.fromEntries(axe._audit.rules
    .filter((rule) => ["minor", "moderate"].includes(rule.impact))
    .map((rule) => [rule.id, { enabled: false }]))"""
# What the page shown needs that is not an image, each address once, as it was transferred: the
# same number from the browser's cache.
LOADED = """() => {
    const sizes = {};
    for (const one of performance.getEntries()) {
        if (one.encodedBodySize && one.initiatorType !== "img") {
            sizes[one.name] = one.encodedBodySize;
        }
    }
    return sizes;
}"""
MOST_BYTES = 300_000
# The first is the second without windows, and takes two thirds of its CPU.
BROWSERS = ("chromium-headless-shell", "chromium")
# Charts follow the window some frames later.
OVERFLOW = """async () => {
    const overflow = () => document.documentElement.scrollWidth - window.innerWidth;
    for (let frames = 0; frames < 60 && overflow() > 0; frames += 1) {
        await new Promise(requestAnimationFrame);
    }
    return overflow();
}"""


def chromium() -> str | None:
    """Return the browser's path, installing it where that is possible; None is Playwright's own."""
    found = os.environ.get("CHROMIUM") or _of_this_machine()
    if found or _has_own_browser():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = ("apt-get", "-qq", "-y", "--no-install-recommends")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run((*quiet, "update"), env=environment, check=True, timeout=200)
        subprocess.run((*quiet, "install", BROWSERS[0]), env=environment, check=True, timeout=400)
    found = _of_this_machine()
    assert found, f"No browser: `apt-get install {BROWSERS[0]}`, or name one in CHROMIUM."
    return found


def _of_this_machine() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _has_own_browser() -> bool:
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright"
    return any(Path(folder).glob("chromium*"))


def launch(playwright: Playwright) -> Browser:
    """Start the browser. As root it has no sandbox of its own."""
    return playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])


@contextmanager
def watched(page: Page, errors: list[str]) -> Iterator[Page]:
    """Note what the browser complains of; violations of the policy are among it."""
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page


class Member:
    """Somebody with a password, and the organization they belong to."""

    def __init__(
        self, stack: Stack, *, role: str = "owner", staff: str = "", name: str = "Ana"
    ) -> None:
        self.email = f"{uuid4().hex[:12]}@example.com"
        with stack.database():
            self.organization: Organization = open_organization(name="Talleres", currency="MXN")
            user = create_user(
                actor=SYSTEM, email=self.email, password=PASSWORD, name="Ana", staff_role=staff
            )
            add_member(organization=self.organization, user=user, role=role, actor=SYSTEM)
            self.user_id = user.id
        self.home = f"{stack.url}/o/{self.organization.id}"


def sign_in_by_form(page: Page, stack: Stack, email: str, password: str = PASSWORD) -> None:
    """Sign in as people do."""
    page.goto(f"{stack.url}/accounts/login/")
    page.fill("[name=login]", email)
    page.fill("[name=password]", password)
    page.locator("form[action$='/login/'] button[type=submit]").click()
    page.wait_for_url(lambda url: "/login/" not in url)


def sign_in(page: Page, stack: Stack, email: str) -> None:
    """Give the browser a session of somebody's; it shows what it showed before."""
    client = Client()
    with stack.database():
        client.force_login(User.objects.get(email=email))
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies(
        [{"name": name, "value": client.cookies[name].value, "url": stack.url}]
    )


def shoot(page: Page, name: str) -> None:
    """Fail where a page is wider than the window or loads too much; keep pictures if asked to.

    With `SCREENSHOTS=1` they are light and dark, wide and narrow. Nobody looks at those of every
    run, and no page is wider in one theme than in the other.
    """
    loaded: dict[str, int] = page.evaluate(LOADED)
    assert sum(loaded.values()) <= MOST_BYTES, f"{name} loads {loaded}"
    before = page.viewport_size
    assert before is not None
    # First the present size, which takes no layout.
    for width in sorted(SIZES, key=lambda width: width != before["width"]):
        if width != before["width"]:
            page.set_viewport_size({"width": width, "height": SIZES[width]})
        overflow = page.evaluate(OVERFLOW)
        assert overflow <= 0, f"{name} is {overflow} px too wide at {width}"
        if os.environ.get("SCREENSHOTS") == "1":
            _keep_pictures(page, f"{name}-{{}}-{width}.png")
    page.set_viewport_size(before)


def _keep_pictures(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        _show_in(page, scheme)
        page.screenshot(path=SCREENSHOTS / name.format(scheme), full_page=True)


def _show_in(page: Page, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)


def check_accessible(page: Page, *, schemes: tuple[Scheme, ...] = SCHEMES) -> None:
    """Fail on serious and critical findings of axe-core, in both themes.

    The second theme is looked at for its contrast: nothing else depends on it. It is the one the
    page is not shown in; it stays.
    """
    page.wait_for_load_state()
    expect(page.locator(".skeleton")).to_have_count(0)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    shown = page.locator("html").get_attribute("data-bs-theme")
    options: dict[str, Any] = {"resultTypes": ["violations"], "rules": page.evaluate(LESSER_RULES)}
    for scheme in sorted(schemes, key=lambda scheme: scheme != shown):
        _show_in(page, scheme)
        found: dict[str, Any] = page.evaluate("options => axe.run(options)", options)
        grave = [
            f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for one in found["violations"]
            if one["impact"] in GRAVE
            for node in one["nodes"]
        ]
        assert grave == [], f"{scheme}, {page.url}: " + "\n".join(grave)
        options = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}


def expect_page(page: Page, title: str) -> None:
    """Wait for a page's heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
