"""Size budgets: past them, a module, function or folder is split by noun."""

import ast
from collections import Counter
from pathlib import Path

from tests.architecture.tree import name_of, python_files, syntax_of

MODULE_LINES = 400
FUNCTION_LINES = 60
FOLDER_MODULES = 15

LARGE_FOLDERS = {
    "billing/models": "a module for each noun of money: its tables and their constraints",
    "billing/services": "a module for each noun of the ledger and of prices",
    "embedded": "one program of small modules: an engine each, and what starts and watches them",
    "gateway/api": "a module for each resource, and those that all requests share",
    "gateway/catalog": "a file for each maker's models, and what prices are made of",
    "gateway/management/commands": "Django finds a command by the file that is named after it",
    "gateway/providers": "an adapter and its errors for each provider, named after it",
    "gateway/selectors": "a module for each kind of figure, list and detail that pages read",
    "orgs/services": "a module for each noun of organizations, people, keys, webhooks and mail",
    "sandbox": "an emulator, its rules and its errors for each provider, named after it",
}


def test_modules_stay_within_400_lines() -> None:
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in python_files()}

    assert len(sizes) > 200
    assert {name: size for name, size in sizes.items() if size > MODULE_LINES} == {}


def test_functions_stay_within_60_lines() -> None:
    long = {
        f"{name_of(path)}:{node.name}"
        for path in python_files()
        for node in ast.walk(syntax_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    }

    assert long == set()


def test_folders_stay_within_15_modules_or_have_a_reason() -> None:
    counts: Counter[Path] = Counter()
    for path in python_files():
        if not path.name.startswith("__") and not path.name.startswith("test_"):
            counts[path.parent] += 1

    large = {name_of(folder) for folder, count in counts.items() if count > FOLDER_MODULES}
    assert large == set(LARGE_FOLDERS)
