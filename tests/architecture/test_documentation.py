"""Documentation that can be checked: links, pages, decisions, endpoints and commands."""

import re
from pathlib import Path

from gateway.api import urls
from tests.architecture.tree import DOCS, ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")
PARTS_OF_A_DECISION = (
    "- Status:",
    "- Area:",
    "## Context",
    "## Decision",
    "## Consequences",
    "## Alternatives",
    "## Enforced by",
)
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")))


def test_links_lead_to_files_and_headings() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in target and not _exists(page, target)
    ]

    assert len(PAGES) > 20
    assert broken == []


def test_index_links_every_page() -> None:
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    # A page of a folder may be linked by the page that is named after the folder.
    linked = {
        target
        for page in ("README.md", *(name for name in pages if (DOCS / name[:-3]).is_dir()))
        for target in LINK.findall((DOCS / page).read_text(encoding="utf-8"))
    }

    assert pages - linked == {"README.md"}


def test_decisions_are_numbered_and_complete() -> None:
    decisions = sorted((DOCS / "adr").glob("*.md"))

    assert len({page.name[:4] for page in decisions}) == len(decisions) > 20
    for page in decisions:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]}. "), page.name
        assert [part for part in PARTS_OF_A_DECISION if part not in text] == [], page.name


def test_tests_and_files_that_decisions_name_exist() -> None:
    missing = [
        f"{page.name}: {name}"
        for page in sorted((DOCS / "adr").glob("*.md"))
        for name in re.findall(r"`([\w./]+/[\w./]*)`", page.read_text(encoding="utf-8"))
        if name.split("/")[0]
        in {"tests", "config", "core", "orgs", "billing", "gateway", "embedded"}
        and not (ROOT / name).exists()
    ]

    assert missing == []


def test_api_page_describes_every_path() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    patterns = [str(url.pattern) for url in urls.urlpatterns]

    assert len(patterns) >= 7
    for pattern in patterns:
        path = "/" + re.sub(r"<\w+:(\w+)>", lambda found: f"{{{_short(found[1])}}}", pattern)
        assert f"`{path}`" in text or f" {path}`" in text, path


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = {
        path.stem
        for path in ROOT.glob("*/management/commands/*.py")
        if not path.stem.startswith("_")
    }

    assert {"create_org", "top_up", "verify_ledger"} <= commands
    assert {name for name in commands if f"`{name}" not in text} == set()


def _short(name: str) -> str:
    return {"path": "key"}.get(name, "id")


def _exists(page: Path, target: str) -> bool:
    name, _, fragment = target.partition("#")
    path = (page.parent / name) if name else page
    if not path.exists():
        return False
    return not fragment or fragment in _anchors(path.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }
