"""What the chart draws against the schemas of Kubernetes, and Helm's own lint."""

from functools import cache
from typing import Any

import helm_python
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has none
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from tests.deploy.chart import EXAMPLES, FOLDER, MINIMAL, Manifest, chart, draw, example

# The oldest that Chart.yaml allows, and the newest that there are schemas of.
OLDEST, NEWEST = "1.29", "1.37"
# Of the Prometheus operator, whose schemas are not Kubernetes'.
FOREIGN = frozenset({"PodMonitor", "PrometheusRule"})
NAMES = tuple(path.stem for path in EXAMPLES)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", NAMES)
def test_manifests_are_what_kubernetes_takes(name, version):
    manifests = [one for one in example(name).manifests if one["kind"] not in FOREIGN]
    wrong = [
        f"{one['kind']} {one['metadata']['name']}: {error.json_path}: {error.message}"
        for one in manifests
        for error in _validator(one["kind"], one["apiVersion"], version).iter_errors(one)
    ]

    assert len(manifests) > 15
    assert wrong == []


def test_schemas_refuse_what_kubernetes_does_not_know():
    """A control: a field of another name is found."""
    service: Manifest = dict(draw().of_kind("Service")[0])
    service["spec"] = {**service["spec"], "portz": []}

    assert list(_validator("Service", "v1", NEWEST).iter_errors(service))


def test_oldest_version_is_the_one_that_the_chart_declares():
    assert chart().metadata["kubeVersion"] == f">={OLDEST}.0-0"


@pytest.mark.parametrize("name", NAMES)
def test_helm_finds_nothing_to_complain_about(name):
    values = helm_python.values_from_yaml((FOLDER / f"examples/{name}.yaml").read_text("utf-8"))

    report = helm_python.lint(FOLDER, values, strict=True, kube_version=f"v{OLDEST}.0")

    texts = [one["error"] for one in report["messages"] if one["error"] != "icon is recommended"]
    assert (texts, report["errors"]) == ([], [])


def test_names_and_kinds_are_unique():
    for name in NAMES:
        keys = [(one["kind"], one["metadata"]["name"]) for one in example(name).manifests]
        assert len(keys) == len(set(keys)), name


def test_package_of_the_chart_leaves_examples_out(tmp_path):
    archive = helm_python.package(FOLDER, destination=tmp_path)

    with helm_python.Chart.load(archive) as packed:
        names = {one["name"] for one in packed.files}
        assert packed.render(dict(MINIMAL), name="x") != {}
    assert "README.md" in names
    assert not any(name.startswith("examples/") for name in names)
    # A link in the repository, a file in the package.
    assert "files/rules.yaml" in names


@cache
def _definitions(version: str) -> Resource[Any]:
    path = f"kubernetes-json-schema/v{version}.0-local-strict/_definitions.json"
    return Resource.from_contents(schema_contents(path, version))


@cache
def _validator(kind: str, api_version: str, version: str) -> Draft202012Validator:
    """Return what checks one kind of object: strictly, no field may be unknown."""
    group, _, release = api_version.rpartition("/")
    label = "-".join(filter(None, (group.partition(".")[0], release)))
    path = f"kubernetes-json-schema/v{version}.0-local-strict/{kind.lower()}-{label}.json"
    schema = schema_contents(path, version)
    registry = _definitions(version) @ Registry()
    return Draft202012Validator(schema, registry=registry)
