"""The repository's own files, for tests that read them."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from core.errors import AppError

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = (
    *("config", "core", "orgs", "billing", "gateway"),
    *("embedded", "sandbox", "bench", "docs", "tests"),
)
DOCS = ROOT / "docs"
_GENERATED = frozenset({"__pycache__", "var", "build"})


def python_files(*packages: str) -> Iterator[Path]:
    """Yield the modules of some packages, or of all; migrations are generated and left out."""
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts and not _GENERATED & set(
                path.parts[len(ROOT.parts) :]
            ):
                yield path


def text_files() -> Iterator[Path]:
    """Yield every text file a reader of the repository meets."""
    yield from python_files()
    for pattern in ("*.md", "*.toml", "*.py", "Makefile", ".gitignore", ".ci/*"):
        yield from sorted(ROOT.glob(pattern))
    for folder, pattern in (
        ("docs", "*.md"),
        ("requirements", "*"),
        (".", "*/migrations/*.py"),
    ):
        yield from sorted((ROOT / folder).rglob(pattern))


def name_of(path: Path) -> str:
    """Return a file's name as the repository writes it."""
    return path.relative_to(ROOT).as_posix()


@cache
def syntax_of(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def table_rows(page: Path) -> Iterator[list[str]]:
    """Yield the cells of each table row of a page, headings and rules left out."""
    before = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("|") and before.startswith("|") and not set(line) <= set("|-: "):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        before = line


def error_classes() -> list[type[AppError]]:
    """Return every anticipated failure that an app defines."""
    found: list[type[AppError]] = []
    for app in ("orgs", "billing", "gateway"):
        module = importlib.import_module(f"{app}.errors")
        found.extend(
            item
            for _, item in inspect.getmembers(module, inspect.isclass)
            if issubclass(item, AppError) and item.__module__ == module.__name__
        )
    return found
