"""The chart, drawn by Helm's own engine, without a cluster."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import helm_python
import yaml

from tests.architecture.tree import ROOT

FOLDER = ROOT / "deploy/lienzo"
EXAMPLES = tuple(sorted((FOLDER / "examples").glob("*.yaml")))
RELEASE = "shop"
MINIMAL: Mapping[str, Any] = {"publicBaseUrl": "https://images.example.com"}
WORKLOADS = ("Deployment", "Job", "CronJob")
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Drawn:
    """What a release of the chart consists of."""

    manifests: Sequence[Manifest]
    notes: str

    def of_kind(self, *kinds: str) -> list[Manifest]:
        return [one for one in self.manifests if one["kind"] in kinds]

    def named(self, kind: str, name: str) -> Manifest:
        (found,) = [one for one in self.of_kind(kind) if one["metadata"]["name"] == name]
        return found

    def deployment(self, component: str) -> Manifest:
        return self.named("Deployment", f"{RELEASE}-lienzo-{component}")

    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Yield the spec of each workload's pods, with its name."""
        for one in self.of_kind(*WORKLOADS):
            spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
            yield one["metadata"]["name"], spec["template"]["spec"]

    def containers(self) -> Iterator[tuple[str, Manifest]]:
        for name, pod in self.pods():
            for container in (*pod.get("initContainers", ()), *pod["containers"]):
                yield f"{name}/{container['name']}", container


@cache
def chart() -> helm_python.Chart:
    return helm_python.Chart.load(FOLDER)


def draw(values: Mapping[str, Any] = MINIMAL) -> Drawn:
    """Return the release with these values, as `helm template` would.

    Raises:
        HelmError: The schema or the chart's own checks refuse the values.
    """
    chart().validate_schema(dict(values))
    texts = chart().render(dict(values), name=RELEASE, namespace="lienzo")
    manifests = [
        document
        for name, text in texts.items()
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    (notes,) = [text for name, text in texts.items() if name.endswith("NOTES.txt")]
    return Drawn(manifests, notes)


@cache
def example(name: str) -> Drawn:
    """Return the release of an example, by the name of its file."""
    return draw(example_values(name))


def example_values(name: str) -> dict[str, Any]:
    text = (FOLDER / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def with_values(path: str, value: object, base: Mapping[str, Any] = MINIMAL) -> dict[str, Any]:
    """Return values with one more at a path of names, separated by dots."""
    values = deepcopy(dict(base))
    *parents, last = path.split(".")
    place = values
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return values


def default_groups() -> list[dict[str, Any]]:
    return deepcopy(chart().values["worker"]["groups"])


def environment(container: Manifest) -> dict[str, str]:
    """Return the variables of a container that have a literal value."""
    return {one["name"]: one["value"] for one in container.get("env", ()) if "value" in one}
