"""Real expositions, held over a simulated time, through which Prometheus evaluates the rules.

What processes expose in a healthy state is held for a while, then what they expose in the state
under test. Gauges keep their values; counters go on to grow by what they grew between the two, or
rest, as those do that were not there before.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.alerts.promtool import run_promtool

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
SILENT_FOR = 10
"""Steps of the healthy state before the other begins."""
_COUNTED = {"counter", "histogram", "summary"}
Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Scrape:
    """What one target answered, None if it did not."""

    process: str
    text: str | None
    instance: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Return what the configuration of Prometheus adds to each series."""
        instance = self.instance or f"{self.process}:9100"
        return {"job": "lienzo", "process": self.process, "instance": instance}


State = Sequence[Scrape]
PROCESSES = ("web", "worker", "sweeper", "dispatcher", "beat")


def system(text: str | None, **answers: str | None) -> State:
    """Return what all processes answer: the same text, but those that are named."""
    return [Scrape(name, answers.get(name, text)) for name in PROCESSES]


@dataclass(frozen=True)
class Value:
    """A sample's value, and whether it is one of what only grows."""

    number: float
    counts: bool = False


Values = dict[Key, Value]


@dataclass(frozen=True)
class Alert:
    """A firing alert, with the labels that its expression gives it."""

    name: str
    labels: Mapping[str, str]

    @property
    def sample(self) -> dict[str, Any]:
        """Return it as a sample of Prometheus's series of alerts."""
        rule = alert_rules()[self.name]
        labels = {
            "alertname": self.name,
            "alertstate": "firing",
            **rule["labels"],
            **self.labels,
        }
        pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
        return {"labels": f"ALERTS{{{pairs}}}", "value": 1}


def alert(name: str, **labels: str) -> Alert:
    """Name a firing alert."""
    return Alert(name, labels)


def all_rules() -> list[dict[str, Any]]:
    """Return every rule as the file has it."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alert_rules() -> dict[str, dict[str, Any]]:
    """Return the alert rules by name."""
    return {rule["alert"]: rule for rule in all_rules() if "alert" in rule}


def assert_fires(
    fired: Alert,
    *also: Alert,
    healthy: State,
    then: State | Sequence[State],
    after: int,
    step: str = "1m",
    goes_on: bool = True,
) -> None:
    """Fail unless an alert is silent while all is well, and fires in another state.

    No alert at all may fire at first, and none but those that are named in the end.

    Args:
        fired: The alert.
        also: Alerts that fire with it.
        healthy: What each target answers at first.
        then: What each answers later; of several states in turn, each but the last is held for
            two steps.
        after: Within how many steps of the other state it must fire.
        step: How long a step is.
        goes_on: Whether what was counted goes on to grow, or has happened once.
    """
    states = [_values(state) for state in _states(then)]
    lengths = [*[2] * (len(states) - 1), after - 2 * (len(states) - 1)]
    history = History(_values(healthy), list(zip(states, lengths, strict=True)), goes_on)
    test = {
        "name": fired.name,
        "interval": step,
        "input_series": list(history.series()),
        "promql_expr_test": [
            _expect([], at=SILENT_FOR, step=step),
            _expect([one.sample for one in (fired, *also)], at=SILENT_FOR + after, step=step),
        ],
    }
    content = {"rule_files": [str(RULES)], "evaluation_interval": step, "tests": [test]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        run_promtool("test", "rules", path)


def _states(then: State | Sequence[State]) -> Sequence[State]:
    first = then[0]
    return [cast("State", then)] if isinstance(first, Scrape) else cast("Sequence[State]", then)


def _expect(samples: list[dict[str, Any]], *, at: int, step: str) -> dict[str, Any]:
    number, unit = int(step[:-1]), step[-1]
    return {
        "expr": 'ALERTS{alertstate="firing"}',
        "eval_time": f"{at * number}{unit}",
        "exp_samples": samples,
    }


def _values(state: State) -> Values:
    """Return the value of every series that the rules look at, and whether it counts."""
    rules = RULES.read_text(encoding="utf-8")
    values: Values = {}
    for scrape in state:
        values[_key("up", scrape.labels)] = Value(0.0 if scrape.text is None else 1.0)
        for family in text_string_to_metric_families(scrape.text or ""):
            for sample in family.samples:
                if re.search(rf"\b{sample.name}\b", rules):
                    key = _key(sample.name, {**sample.labels, **scrape.labels})
                    values[key] = Value(sample.value, family.type in _COUNTED)
    return values


def _key(name: str, labels: Mapping[str, str]) -> Key:
    return name, tuple(sorted(labels.items()))


@dataclass(frozen=True)
class History:
    """States in turn, as series of Prometheus's notation for its tests."""

    healthy: Values
    later: Sequence[tuple[Values, int]]
    goes_on: bool = True

    def series(self) -> Iterator[dict[str, str]]:
        """Yield each series with its values."""
        for key in sorted({*self.healthy, *(key for values, _ in self.later for key in values)}):
            name, labels = key
            pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels)
            yield {"series": f"{name}{{{pairs}}}", "values": " ".join(self._parts(key))}

    def _parts(self, key: Key) -> Iterator[str]:
        before = self.healthy.get(key)
        # Samples at the steps 0 to SILENT_FOR.
        yield f"_x{SILENT_FOR + 1}" if before is None else _held(before.number, 0, SILENT_FOR)
        for values, steps in self.later:
            value = values.get(key)
            if value is not None:
                # Prometheus knows no growth of a series that is new: it is as if it rested.
                growth = value.number - before.number if value.counts and before else 0
                growth = growth if self.goes_on else 0
                yield _held(value.number, growth, steps - 1)
            elif before is not None:
                # What Prometheus writes when a series is no longer there.
                yield f"stale _x{steps - 1}" if steps > 1 else "stale"
            else:
                yield f"_x{steps}"
            before = value


def _held(start: float, growth: float, steps: int) -> str:
    sign = "-" if growth < 0 else "+"
    return f"{_number(start)}{sign}{_number(abs(growth))}x{steps}"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.12g}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
