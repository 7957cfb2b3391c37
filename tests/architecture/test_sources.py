"""Rules of the sources that neither the linter nor the import contracts know."""

import ast
import re
from pathlib import Path

from django.apps import apps
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from tests.architecture.tree import PACKAGES, ROOT, name_of, python_files, syntax_of, text_files

# Folders of one machine, package registries, and pages that are not in the repository.
FOREIGN = re.compile(
    r"(?<![\w.])/(?:work|Users|home/[a-z]\w*)/|/tmp/(?!seaweedfs)|\bpypi\.|pythonhosted|--(?:extra-)?index-url"
    r"|registry\.npmjs|proxy\.golang|\b(?:design|details)\.md\b|\bissue \d"
)
# What all adapters share, and the protocol that OpenAI, Azure and xAI share; every other module
# there belongs to the adapter it is named after.
SHARED_BY_ADAPTERS = frozenset(
    {
        "base",
        "errors",
        "openai_errors",
        "openai_images",
        "openai_requests",
        "polling",
        "transfer",
        "wire",
    }
)


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:120]}"
        for path in text_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FOREIGN.search(line)
    ]

    assert found == []


def test_modules_have_a_docstring() -> None:
    without = [
        name_of(path)
        for path in python_files(*sorted(set(PACKAGES) - {"tests"}))
        if path.name not in {"apps.py", "urls.py"}
        and syntax_of(path).body
        and ast.get_docstring(syntax_of(path)) is None
    ]

    assert without == []


def test_billing_has_no_float() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("billing")
        for node in ast.walk(syntax_of(path))
        if isinstance(node, ast.Name) and node.id == "float"
    ]

    assert found == []


def test_migrations_have_no_drift() -> None:
    loader = MigrationLoader(None)
    detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))

    assert detector.changes(graph=loader.graph) == {}


def test_adapters_import_only_what_is_shared_and_their_own() -> None:
    modules = {path.stem for path in (ROOT / "gateway/providers").glob("*.py")} - {"__init__"}
    adapters = {name for name in modules - SHARED_BY_ADAPTERS if "_" not in name} - {"registry"}
    foreign = [
        f"{importer} imports {imported}"
        for importer in sorted(modules - SHARED_BY_ADAPTERS - {"registry"})
        for imported in _imports_within_providers(importer)
        if imported not in SHARED_BY_ADAPTERS and _family(imported) != _family(importer)
    ]

    assert {"fal", "openai"} <= adapters
    assert foreign == []
    assert [
        f"{importer} imports {imported}"
        for importer in sorted(SHARED_BY_ADAPTERS)
        for imported in _imports_within_providers(importer)
        if imported not in SHARED_BY_ADAPTERS
    ] == []


def _family(module: str) -> str:
    return module.partition("_")[0]


def _imports_within_providers(module: str) -> set[str]:
    prefix = "gateway.providers"
    found: set[str] = set()
    for node in ast.walk(syntax_of(ROOT / f"gateway/providers/{module}.py")):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        if node.module == prefix:
            found.update(alias.name for alias in node.names)
        elif node.module.startswith(f"{prefix}."):
            found.add(node.module.removeprefix(f"{prefix}.").partition(".")[0])
    return found
