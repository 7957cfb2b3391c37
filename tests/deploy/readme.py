"""The table of values in the chart's README: `python -m tests.deploy.readme` writes it anew."""

import json
import re
from collections.abc import Iterator

from tests.deploy.chart import FOLDER, chart

README = FOLDER / "README.md"
HEAD = "| value | default | meaning |\n|---|---|---|\n"
_COMMENT = re.compile(r"^ *# -- (?P<text>.+)$")
_KEY = re.compile(r"^(?P<indent> *)(?P<name>\w+):")


def documented() -> Iterator[tuple[str, str]]:
    """Yield each value's path and what the comment above it says of it."""
    path: list[str] = []
    text = None
    for line in (FOLDER / "values.yaml").read_text(encoding="utf-8").splitlines():
        if comment := _COMMENT.match(line):
            text = comment["text"]
        elif key := _KEY.match(line):
            path = [*path[: len(key["indent"]) // 2], key["name"]]
            if text is not None:
                yield ".".join(path), text
            text = None


def leaves(values: object, path: str = "") -> Iterator[str]:
    """Yield the path of every value that is no group of others."""
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    else:
        yield path


def table() -> str:
    """Return the table as the README has it."""
    rows = [f"| `{path}` | {_default(path)} | {text} |\n" for path, text in documented()]
    return HEAD + "".join(rows)


def _default(path: str) -> str:
    value: object = chart().values
    for name in path.split("."):
        assert isinstance(value, dict)
        value = value[name]
    if value in ("", [], {}):
        return ""
    if path in {"worker.groups", "secrets"}:
        return "below"
    if isinstance(value, dict) and path.endswith("resources"):
        asked, limits = value["requests"], value["limits"]
        return f"{asked['cpu']} CPU, {asked['memory']}; at most {limits['memory']}"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    start = old.index(HEAD)
    end = old.find("\n\n", start) + 1
    README.write_text(old[:start] + table() + old[end:], encoding="utf-8")
