"""The site that ``make docs`` builds of this folder; the index README.md is its navigation.

Pages stay what GitHub shows: no directives. What a site needs beyond them is made here, while
pages are read.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

# Pages of a folder hang below one page, which lists them; else the menu would be twice as long.
_PARENTS = {"adr": "decisions", "runbooks": "runbooks"}
_LINK = re.compile(r"\]\(([\w./-]+)\.md\)")

project = "Lienzo"
html_title = "Lienzo"
root_doc = "README"
extensions = ["myst_parser"]
exclude_patterns = ["_*"]
# As GitHub makes anchors of headings, so that links with one lead somewhere on both.
myst_heading_anchors = 4
# Examples leave things out, with an ellipsis, and are then no JSON.
suppress_warnings = ["misc.highlighting_failure"]

# Options of commands begin with two hyphens, in prose too.
smartquotes = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["scrolling.js"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options: dict[str, list[str]] = {"footer_icons": []}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def setup(app: Sphinx) -> None:
    """Connect what is made while pages are read, and after all are written."""
    app.connect("env-get-outdated", _lists)
    app.connect("source-read", _complete)
    # After the theme's own, which makes the menu.
    app.connect("html-page-context", _level_captions, priority=900)
    app.connect("build-finished", _name_index)


def _lists(app: Sphinx, *_: object) -> list[str]:
    """Name the pages that list others: each build reads them anew."""
    return sorted({root_doc, *_PARENTS.values()} & set(app.project.docnames))


def _complete(app: Sphinx, page: str, source: list[str]) -> None:
    folder = Path(app.srcdir)
    pages = set(app.project.docnames)
    if page == root_doc:
        source[0] = _with_menu(source[0], pages)
    elif page in _PARENTS.values():
        below = sorted(name for name in pages if _parent(name, pages) == page)
        is_listed = set(below) <= set(_LINK.findall(source[0]))
        source[0] += _menu("", below, is_shown=not is_listed)
    elif page == "changelog":
        log = folder.parent / "CHANGELOG.md"
        app.env.note_dependency(log)
        source[0] = log.read_text(encoding="utf-8").replace("](docs/", "](")


def _with_menu(index: str, pages: set[str]) -> str:
    """Add a menu's part to each section of the index, of the pages that it links first."""
    parts = re.split(r"^(?=## )", index, flags=re.MULTILINE)
    seen: set[str] = set()
    for number, part in enumerate(parts):
        linked = [
            name
            for name in dict.fromkeys(_LINK.findall(part))
            if name not in seen and _parent(name, pages) is None
        ]
        seen.update(linked)
        title = part.partition("\n")[0].removeprefix("## ")
        parts[number] = part + _menu(title, linked, is_shown=False)
    return "".join(parts)


def _parent(page: str, pages: set[str]) -> str | None:
    parent = _PARENTS.get(page.rpartition("/")[0])
    return parent if parent in pages else None


def _menu(title: str, pages: list[str], *, is_shown: bool) -> str:
    if not pages:
        return ""
    how = ":maxdepth: 1" if is_shown else ":hidden:"
    if title:
        how += f"\n:caption: {title}"
    return f"\n\n```{{toctree}}\n{how}\n\n" + "\n".join(pages) + "\n```\n\n"


def _level_captions(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Give the menu's captions the level that a heading must have for screen readers."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )


def _name_index(app: Sphinx, error: Exception | None) -> None:
    """Let a server find the index under the name that it looks for."""
    if error is None and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")
