"""The README of the chart against its values and their schema."""

import json
from collections.abc import Iterator
from typing import Any

from tests.deploy.chart import FOLDER, chart
from tests.deploy.readme import README, documented, leaves, table


def test_readme_has_the_table_of_values():
    """If not: `python -m tests.deploy.readme`."""
    assert table() in README.read_text(encoding="utf-8")


def test_every_value_is_explained():
    explained = {path for path, _ in documented()}

    unexplained = [
        leaf
        for leaf in leaves(chart().values)
        if not any(leaf == path or leaf.startswith(f"{path}.") for path in explained)
    ]

    assert len(explained) > 50
    assert unexplained == []


def test_schema_and_values_know_the_same_names():
    schema = json.loads((FOLDER / "values.schema.json").read_text(encoding="utf-8"))

    assert set(_names(schema, chart().values)) == set()


def _names(schema: dict[str, Any], values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the names that only one of the two has, in every group of values."""
    of_schema = schema["properties"]
    for name in of_schema.keys() ^ values.keys() - {"global"}:
        if path or name != "global":
            yield f"{path}{name}"
    for name in of_schema.keys() & values.keys():
        if "properties" in of_schema[name]:
            yield from _names(of_schema[name], values[name], f"{path}{name}.")
