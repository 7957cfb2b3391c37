"""Values and commands that the documentation tells an operator to use."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.architecture.tree import DOCS, table_rows
from tests.deploy.chart import FOLDER, MINIMAL, Drawn, chart, draw, with_values
from tests.deploy.readme import leaves

PAGE = DOCS / "kubernetes.md"
PAGES = (PAGE, FOLDER / "README.md")
CODE = re.compile(r"`([^`\n]+)`")


def test_documented_values_are_drawn():
    published, backed_up = _values_of_blocks()

    (ingress,) = draw(published).of_kind("Ingress")
    assert ingress["spec"]["tls"][0]["secretName"] == "images-example-com-tls"
    assert len(draw({**MINIMAL, **backed_up}).of_kind("CronJob")) == 1


def test_values_for_what_stands_before_web_are_drawn():
    advised = {name: _values_of_words(advice) for name, advice in _rows_of_two()}
    advised = {name: values for name, values in advised.items() if values != MINIMAL}

    assert {name.split()[0] for name in advised} == {
        "ingress-nginx,",
        "HAProxy's",
        "AWS",
        "Google's",
    }
    for name, values in advised.items():
        drawn = draw(with_values("ingress.enabled", value=True, base=values))
        (ingress,) = drawn.of_kind("Ingress")
        annotations = values.get("ingress", {}).get("annotations")
        assert ingress["metadata"].get("annotations") == annotations, name
        if "load balancer" in name:
            assert _pause(drawn) == "30", name


def test_documented_entries_of_secrets_are_drawn():
    cells = [row[0].strip("`") for row in table_rows(FOLDER / "README.md")]
    entries = [yaml.safe_load(cell) for cell in cells if cell.startswith("{")]

    assert len(entries) == 3
    draw({**MINIMAL, "secrets": entries})


def test_values_named_in_words_exist():
    known = tuple(f"{leaf}." for leaf in leaves(chart().values))
    named = {
        code.partition(":")[0]
        for page in PAGES
        for code in CODE.findall(page.read_text(encoding="utf-8"))
        if re.match(r"\w+\.\w", code) and code.partition(".")[0] in chart().values
    }
    # Settings have names of their own.
    named = {name for name in named if not name.startswith("settings.")}

    assert len(named) > 50
    assert [name for name in named if not any(one.startswith(f"{name}.") for one in known)] == []


def test_helm_waits_longer_than_the_migration_may_take():
    command = re.compile(r"^helm upgrade .*", re.MULTILINE)
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    found = [line for text in texts for line in command.findall(text)]
    limit_s = chart().values["migration"]["activeDeadlineSeconds"]

    assert len(found) == 3
    for line in found:
        minutes = re.search(r" --timeout (\d+)m\b", line)
        assert minutes, line
        assert int(minutes[1]) * 60 > limit_s, line


def _values_of_blocks() -> Iterator[dict[str, Any]]:
    """Yield the blocks that are values of the chart; others are objects of other programs."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        values = yaml.safe_load(block)
        if values.keys() <= chart().values.keys():
            yield values


def _values_of_words(text: str) -> dict[str, Any]:
    """Return the values that code in a sentence sets: those of the chart, and annotations."""
    values = dict(MINIMAL)
    prefix = ""
    for code in CODE.findall(text):
        name, is_set, value = code.partition(": ")
        if is_set and "/" in name:
            prefix = prefix if name.startswith("…/") else name.partition("/")[0]
            annotations = {**values.get("ingress", {}).get("annotations", {})}
            annotations[f"{prefix}/{name.partition('/')[2]}"] = yaml.safe_load(value)
            values = with_values("ingress.annotations", annotations, values)
        elif is_set and name.partition(".")[0] in chart().values:
            values = with_values(name, yaml.safe_load(value), values)
    return values


def _rows_of_two() -> Iterator[list[str]]:
    return (row for row in table_rows(PAGE) if len(row) == 2)


def _pause(drawn: Drawn) -> str:
    (web,) = drawn.deployment("web")["spec"]["template"]["spec"]["containers"]
    return str(web["lifecycle"]["preStop"]["exec"]["command"][1])
