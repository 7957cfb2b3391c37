"""Every alert has what somebody needs who is woken by it, and names nothing that does not exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from django.urls import Resolver404, resolve

from tests.alerts.exposed import exposed_names
from tests.alerts.promtool import check_rules, run_promtool
from tests.alerts.timeline import ROOT, RULES, alert_rules, all_rules

RUNBOOKS = ROOT / "docs" / "runbooks"
INDEX = ROOT / "docs" / "runbooks.md"
DASHBOARD = ROOT / "deploy" / "grafana" / "lienzo.json"
EXAMPLE = ROOT / "deploy" / "prometheus" / "prometheus.yaml"
METRIC = re.compile(r"\b(?:lienzo|process)_[a-z_]+")
CAUSED = re.compile(r"assert_fires\(\s*alert\(\"(\w+)\"")
# Labels by which expressions group, and words of the same form.
NOT_METRICS = {"lienzo_docs"}
# What Prometheus makes of a histogram.
SUFFIXES = re.compile(r"_(?:bucket|sum|count)$")


def test_rules_and_the_example_are_accepted_by_prometheus() -> None:
    said = run_promtool("check", "config", EXAMPLE)

    assert f"{len(all_rules())} rules found" in said


def test_every_alert_has_severity_annotations_and_a_runbook() -> None:
    rules = alert_rules()

    assert len(rules) >= 30
    for name, rule in rules.items():
        page = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        link = f"{{{{ $externalLabels.lienzo_docs }}}}/runbooks/{page}.html"
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert rule["labels"]["service"] == "lienzo", name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, name
        assert rule["annotations"]["runbook_url"] == link, name
        text = (RUNBOOKS / f"{page}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {name}\n\n`{rule['labels']['severity']}` · "), name
        for part in ("**Affected:**", "**Money at risk:**", "## Look", "## Do", "## Over when"):
            assert part in text, (name, part)
    assert len(list(RUNBOOKS.glob("*.md"))) == len(rules)


def test_index_of_runbooks_lists_every_alert_with_its_severity() -> None:
    text = INDEX.read_text(encoding="utf-8")
    listed = dict(
        re.findall(r"^\| \[(\w+)\]\(runbooks/[a-z-]+\.md\) \| (\w+) \|", text, re.MULTILINE)
    )

    assert listed == {name: rule["labels"]["severity"] for name, rule in alert_rules().items()}


def test_every_alert_is_caused_by_a_test() -> None:
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    caused = {name for text in texts for name in re.findall(CAUSED, text)}

    assert caused == set(alert_rules())


def test_rules_and_runbooks_use_only_metrics_that_are_exposed() -> None:
    texts = [RULES, *RUNBOOKS.glob("*.md"), ROOT / "docs" / "alerts.md"]
    named = {name for path in texts for name in metrics_of(path.read_text(encoding="utf-8"))}

    assert named - exposed_names() == set()


def test_dashboard_shows_only_what_is_exposed_and_recorded() -> None:
    expressions = list(expressions_of(json.loads(DASHBOARD.read_text(encoding="utf-8"))))
    recorded = {rule["record"] for rule in all_rules() if "record" in rule}
    shown = "\n".join(expressions)

    assert len(expressions) >= 40
    assert metrics_of(shown) - exposed_names() == set()
    assert set(re.findall(r"lienzo:[\w:]+", shown)) - recorded == set()
    rules = [
        {"record": f"panel:{number}", "expr": filled(expression)}
        for number, expression in enumerate(expressions)
    ]
    check_rules(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))


def test_runbooks_name_pages_of_the_console_that_exist() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md"))
    pages = set(re.findall(r"`(/(?:operations|finance)[\w/-]*)`", text))

    assert len(pages) >= 8
    assert {page for page in pages if not is_page(page)} == set()


def metrics_of(text: str) -> set[str]:
    """Return the metrics that a text names, without what Prometheus puts behind them."""
    return {SUFFIXES.sub("", name) for name in METRIC.findall(text)} - NOT_METRICS


def is_page(path: str) -> bool:
    """Return whether the console has a page of this address."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def expressions_of(node: object) -> Iterator[str]:
    """Yield every expression of a dashboard."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "expr":
                yield value
            else:
                yield from expressions_of(value)
    elif isinstance(node, list):
        for one in node:
            yield from expressions_of(one)


def filled(expression: str) -> str:
    """Put values where a dashboard has variables."""
    return expression.replace("$__rate_interval", "5m").replace("$provider", ".*")
