"""The page of settings against the names that the sources read, and their defaults."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from config.env import Environment
from config.settings import PROVIDER_PREFIXES
from embedded.environment import settings_of
from gateway.providers.registry import PROVIDERS, default_base_url
from tests.architecture.tree import DOCS, ROOT, python_files, syntax_of, table_rows

PAGE = DOCS / "settings.md"
READERS = frozenset(
    name for name, item in vars(Environment).items() if callable(item) and not name.startswith("_")
)
# Of the operating system, of a request or of a program we run, not settings of ours.
FOREIGN = frozenset(
    {
        "PATH",
        "HOME",
        "PATH_INFO",
        "DJANGO_SETTINGS_MODULE",
        "GUNICORN_CMD_ARGS",
        "PROMETHEUS_MULTIPROC_DIR",
    }
)
NAME = re.compile(r"[A-Z][A-Z0-9_]+")


def test_every_setting_that_is_read_is_documented_and_the_other_way_round() -> None:
    read = set(_settings_read()) | set(_variables_read()) | set(_provider_variables())

    assert {"DATABASE_URL", "WEB_PROCESSES", "LIENZO_VAR", "FAL_API_KEY"} <= read
    assert set(_documented()) == read


def test_documented_defaults_are_those_of_the_sources() -> None:
    documented = _documented()
    wrong = {
        name: (default, documented[name])
        for name, default in _settings_read().items()
        if default and f"`{default}`" not in documented[name]
    }

    assert wrong == {}


def test_documented_base_urls_are_those_of_the_adapters() -> None:
    documented = _documented()

    for provider in PROVIDERS:
        name = f"{PROVIDER_PREFIXES[provider]}_BASE_URL"
        default = default_base_url(provider)
        assert (f"`{default}`" if default else "none") in documented[name]


def _documented() -> dict[str, str]:
    """Return the second cell of the row of each name; one row may be for several names."""
    found: dict[str, str] = {}
    for row in table_rows(PAGE):
        for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row[0]):
            assert name not in found, f"{name} is documented twice"
            found[name] = row[1]
    return found


def _settings_read() -> dict[str, str]:
    """Return the names read by `config.settings`, each with its default where that is literal."""
    found: dict[str, str] = {}
    for node in ast.walk(syntax_of(ROOT / "config/settings.py")):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in READERS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "env"
            and isinstance(node.args[0], ast.Constant)
        ):
            default = node.args[1] if len(node.args) > 1 else None
            value = default.value if isinstance(default, ast.Constant) else ""
            found[str(node.args[0].value)] = str(value)
    return found


def _variables_read() -> Iterator[str]:
    """Yield the names that programs read from the environment without `config.env`."""
    for path in (ROOT / "manage.py", *python_files("config", "embedded", "gateway")):
        for node in ast.walk(syntax_of(path)):
            yield from _read_by(node)


def _read_by(node: ast.AST) -> Iterator[str]:
    key: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        if node.func.attr == "get" and _is_environ(node.func.value):
            key = node.args[0]
    elif isinstance(node, ast.Subscript) and _is_environ(node.value):
        key = node.slice
    name = key.value if isinstance(key, ast.Constant) else None
    if isinstance(name, str) and NAME.fullmatch(name) and name not in FOREIGN:
        yield name


def _is_environ(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.strip("_") == "environ"


def _provider_variables() -> Iterator[str]:
    for prefix in PROVIDER_PREFIXES.values():
        yield f"{prefix}_API_KEY"
        yield f"{prefix}_BASE_URL"


def test_a_restart_compares_all_settings_and_nothing_else() -> None:
    families = {f"FAL_{kind}" for kind in ("MAX_CONCURRENCY", "TIMEOUT_S", "API_KEY_FILE")}
    ours = {*_documented(), *families, "AWS_ROLE_ARN", "OTEL_TRACES_SAMPLER"}
    foreign = {"ANTHROPIC_API_KEY", "OPENAI_ORG_ID", "STRIPE_API_KEY", "LIENZO_API_KEY", "PATH"}

    # The folder says which supervisor is meant; the file is of each process.
    compared = ours - {"LIENZO_VAR", "LIENZO_READY_FILE"}
    assert settings_of(dict.fromkeys(ours | foreign, "1")).keys() == compared


def test_env_file_variants_are_mentioned() -> None:
    assert "_FILE" in Path(PAGE).read_text(encoding="utf-8")
