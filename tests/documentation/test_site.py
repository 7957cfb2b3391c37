"""The site of the documentation: what it refuses, and that it asks nobody else for anything."""

import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import DOCS

INDEX = "# Index\n\n## Guides\n\n| page |\n|---|\n| [one](one.md) |\n| [why](decisions.md) |\n"
ONE = "# One\n\n## A `part` of it\n\nSee [it](#a-part-of-it), [two](adr/0001-two.md#reason).\n"
DECISIONS = "# Decisions\n\nThey are below.\n"
TWO = "# Two\n\n## Reason\n\nSome.\n"
OF_OTHERS = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*(?:src|href)=["']?(?:https?:)?//|url\(["']?(?:https?:)?//"""
)


def build(folder: Path, pages: dict[str, str]) -> subprocess.CompletedProcess[str]:
    source = folder / "docs"
    (source / "adr").mkdir(parents=True)
    for name, text in pages.items():
        (source / f"{name}.md").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", str(DOCS)]
    return subprocess.run(
        [*command, str(source), str(folder / "site")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_pages_become_a_site_that_needs_nobody_else(tmp_path):
    pages = {"README": INDEX, "one": ONE, "decisions": DECISIONS, "adr/0001-two": TWO}

    built = build(tmp_path, pages)

    assert (built.returncode, built.stderr) == (0, "")
    site = tmp_path / "site"
    index = (site / "index.html").read_text(encoding="utf-8")
    assert index == (site / "README.html").read_text(encoding="utf-8")
    assert '<span class="caption-text">Guides</span>' in index
    assert 'href="adr/0001-two.html#reason"' in (site / "one.html").read_text(encoding="utf-8")
    assert 'href="adr/0001-two.html"' in (site / "decisions.html").read_text(encoding="utf-8")
    assert '"adr/0001-two"' in (site / "searchindex.js").read_text(encoding="utf-8")
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    foreign = [(path.name, OF_OTHERS.findall(path.read_text(encoding="utf-8"))) for path in files]
    assert len(foreign) > 10
    assert [found for found in foreign if found[1]] == []


def test_broken_links_and_pages_outside_the_menu_are_refused(tmp_path):
    one = ONE + "\n[a](two.md) [b](decisions.md#nowhere) [c](#nor-here)\n"

    built = build(tmp_path, {"README": INDEX, "one": one, "decisions": DECISIONS, "stray": TWO})

    assert built.returncode == 1
    assert "'myst' cross-reference target not found: 'two.md'" in built.stderr
    assert "nowhere" in built.stderr
    assert "nor-here" in built.stderr
    assert "stray.md: WARNING: document isn't included in any toctree" in built.stderr
