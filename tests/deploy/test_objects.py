"""What must hold of every object of a release, whatever the values."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from config.gunicorn import graceful_timeout
from config.startup import DRAIN_S
from gateway.catalog.types import MAX_DEADLINE_S
from tests.architecture.tree import ROOT
from tests.deploy.chart import EXAMPLES, Drawn, Manifest, default_groups, draw, example, with_values

NAMES = tuple(path.stem for path in EXAMPLES)
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@pytest.fixture(params=NAMES)
def drawn(request: pytest.FixtureRequest) -> Drawn:
    return example(request.param)


def test_every_process_has_probes_of_ports_that_it_has(drawn):
    served = 0
    for name, container in drawn.containers():
        if "-migration/" in name or name.endswith("-backup/backup"):
            assert "livenessProbe" not in container
            continue
        ports = {port["name"] for port in container["ports"]}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[kind]["httpGet"]["port"] in ports, (name, kind)
        served += 1
    assert served >= 6


def test_readiness_of_web_is_the_money_path_of_the_public_port(drawn):
    (web,) = drawn.deployment("web")["spec"]["template"]["spec"]["containers"]
    probe = web["readinessProbe"]["httpGet"]

    assert (probe["path"], probe["port"]) == ("/readyz", "http")
    # A slow answer is no reason to kill: it is silence of more than a process's own 10 s that is.
    assert web["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
    assert web["livenessProbe"]["timeoutSeconds"] > 10


def test_every_container_asks_for_resources_and_is_limited(drawn):
    for name, container in drawn.containers():
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert "cpu" in requests, name
        assert _bytes(requests["memory"]) <= _bytes(limits["memory"]), name


def test_no_pod_can_gain_rights_or_write_to_its_image(drawn):
    for name, pod in drawn.pods():
        context = pod["securityContext"]
        assert (context["runAsUser"], context["runAsNonRoot"]) == (10001, True), name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert not any("hostPath" in volume for volume in pod["volumes"]), name
    for name, container in drawn.containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"], name


def test_stopping_pods_live_longer_than_any_request(drawn):
    assert graceful_timeout == DRAIN_S > MAX_DEADLINE_S
    for one in drawn.of_kind("Deployment"):
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        grace = pod["terminationGracePeriodSeconds"]
        if container["name"] == "web":
            pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
            assert pause >= 10
            assert grace >= pause + graceful_timeout + 10
        elif container["name"] == "worker":
            assert grace >= DRAIN_S + 10
        else:
            assert grace >= 30


def test_no_secret_is_written_into_the_release(drawn):
    secret = re.compile(
        r"SECRET|_API_KEY$|TOKEN|PASSWORD|^(DATABASE|REDIS|CELERY_BROKER|EMAIL)_URL$"
    )
    written = {key for one in drawn.of_kind("ConfigMap") for key in one["data"]}
    written |= {
        one["name"]
        for _, container in drawn.containers()
        for one in container.get("env", ())
        if "value" in one and not one["name"].endswith("_FILE")
    }

    assert written
    assert [name for name in written if secret.search(name)] == []
    assert drawn.of_kind("Secret") == []


def test_selectors_match_the_pods_they_are_meant_for_and_stay_the_same(drawn):
    labels = dict(_labels_of_pods(drawn))
    for one in drawn.of_kind("Deployment"):
        selector = one["spec"]["selector"]["matchLabels"]
        found = [name for name, of_pod in labels.items() if selector.items() <= of_pod.items()]
        assert found == [one["metadata"]["name"]]
        # What changes with a version or a value must not be in it: it cannot be changed.
        assert {key.rpartition("/")[2] for key in selector} == {"name", "instance", "component"}


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"])
def test_whatever_selects_pods_selects_some(kind):
    drawn = example("production")
    labels = dict(_labels_of_pods(drawn))
    objects = drawn.of_kind(kind)

    assert objects
    for one in objects:
        spec = one["spec"]
        selector = spec.get("podSelector") or spec["selector"]
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= found.items() for found in labels.values()), one["metadata"]


def test_every_deployment_but_the_clock_survives_the_draining_of_nodes():
    drawn = example("production")
    guarded = {one["metadata"]["name"] for one in drawn.of_kind("PodDisruptionBudget")}
    deployments = {one["metadata"]["name"] for one in drawn.of_kind("Deployment")}

    assert deployments - guarded == {"shop-lienzo-beat"}


def test_autoscalers_have_targets_whose_replicas_nobody_else_sets():
    drawn = example("production")
    scaled = set()
    for one in drawn.of_kind("HorizontalPodAutoscaler"):
        target = one["spec"]["scaleTargetRef"]["name"]
        assert "replicas" not in drawn.named("Deployment", target)["spec"]
        scaled.add(target.removeprefix("shop-lienzo-"))

    assert scaled == {"web", "worker-images", "worker-thumbnails"}
    for one in drawn.of_kind("Deployment"):
        component = one["metadata"]["name"].removeprefix("shop-lienzo-")
        assert ("replicas" in one["spec"]) == (component not in scaled)


def test_group_whose_replicas_are_null_is_scaled_by_others():
    first, *others = default_groups()
    groups = [{**first, "replicas": None}, *others]

    assert (
        "replicas"
        not in draw(with_values("worker.groups", groups)).deployment("worker-images")["spec"]
    )


def test_queue_age_scales_a_group_by_each_of_its_providers():
    metrics = example("production").named("HorizontalPodAutoscaler", "shop-lienzo-worker-images")
    external = [one["external"] for one in metrics["spec"]["metrics"] if one["type"] == "External"]

    assert {one["metric"]["name"] for one in external} == {"lienzo_queue_age_seconds"}
    providers = [one["metric"]["selector"]["matchLabels"]["provider"] for one in external]
    assert len(providers) == 9
    assert {"azure_openai", "sandbox"} <= set(providers)
    assert {one["target"]["value"] for one in external} == {"3"}


def test_one_beat_at_a_time_and_two_sweepers():
    drawn = draw()
    beat = drawn.deployment("beat")["spec"]

    assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})
    assert drawn.deployment("sweeper")["spec"]["replicas"] == 2


def test_upgrade_migrates_before_anything_else_and_leaves_nothing():
    drawn = draw()
    hooks = [one for one in drawn.manifests if _annotations(one).get("helm.sh/hook")]
    hooks.sort(key=lambda one: int(_annotations(one)["helm.sh/hook-weight"]))

    assert [one["kind"] for one in hooks] == ["ServiceAccount", "Job"]
    for one in hooks:
        assert _annotations(one)["helm.sh/hook"] == "pre-install,pre-upgrade"
        policy = _annotations(one)["helm.sh/hook-delete-policy"]
        assert policy == "before-hook-creation,hook-succeeded"
    # Nothing else of the release exists by then.
    text = json.dumps(hooks[1])
    assert "configMap" not in text
    assert hooks[1]["spec"]["template"]["spec"]["serviceAccountName"] == _name(hooks[0])
    settings = drawn.of_kind("ConfigMap")[0]["data"]
    for container in hooks[1]["spec"]["template"]["spec"]["containers"]:
        variables = {one["name"]: one.get("value") for one in container["env"]}
        assert variables["PUBLIC_BASE_URL"] == settings["PUBLIC_BASE_URL"]


def test_migration_has_the_rights_that_accounts_give():
    """Its last step asks S3 for the buckets, so it needs a role where there are no keys."""
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/images"}
    created = draw(with_values("serviceAccount", {"annotations": role}))
    accounts = {_name(one): _annotations(one) for one in created.of_kind("ServiceAccount")}

    assert accounts.keys() == {pod["serviceAccountName"] for _, pod in created.pods()}
    assert len(accounts) == 2
    assert all(role.items() <= annotations.items() for annotations in accounts.values())

    named = draw(with_values("serviceAccount", {"name": "images", "annotations": role}))

    assert named.of_kind("ServiceAccount") == []
    assert {pod["serviceAccountName"] for _, pod in named.pods()} == {"images"}


def test_a_changed_setting_replaces_the_pods():
    before = draw().deployment("web")["spec"]["template"]["metadata"]["annotations"]
    after = draw(with_values("settings", {"LOG_LEVEL": "DEBUG"})).deployment("web")

    assert before != after["spec"]["template"]["metadata"]["annotations"]


def test_service_leads_to_web_and_the_ports_of_metrics_are_of_no_service(drawn):
    services = {_name(one): one["spec"]["ports"] for one in drawn.of_kind("Service")}

    assert services["shop-lienzo-web"][0]["targetPort"] == "http"
    assert not any(
        port["targetPort"] in {"metrics", 9100} for ports in services.values() for port in ports
    )


def test_ingress_leads_the_host_to_web_over_tls():
    ingress = example("production").of_kind("Ingress")[0]["spec"]

    assert ingress["tls"] == [
        {"hosts": ["images.example.com"], "secretName": "images-example-com-tls"}
    ]
    (rule,) = ingress["rules"]
    assert rule["host"] == "images.example.com"
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == "shop-lienzo-web"


def test_dispatcher_is_fenced_from_what_is_private():
    policy = example("production").named("NetworkPolicy", "shop-lienzo-dispatcher")["spec"]
    blocks = [to["ipBlock"] for rule in policy["egress"] for to in rule["to"] if "ipBlock" in to]

    assert policy["policyTypes"] == ["Egress"]
    assert {"10.0.0.0/8", "169.254.0.0/16", "fc00::/7"} <= {
        network for block in blocks for network in block.get("except", ())
    }
    assert {"cidr": "10.20.0.0/24"} in blocks


def test_collected_metrics_have_the_labels_of_the_alert_rules():
    drawn = example("production")
    (endpoint,) = drawn.of_kind("PodMonitor")[0]["spec"]["podMetricsEndpoints"]
    processes = {found.get("lienzo/process") for _, found in _labels_of_pods(drawn)}

    assert endpoint["port"] == "metrics"
    assert {"targetLabel": "job", "replacement": "lienzo"} in endpoint["relabelings"]
    source = "__meta_kubernetes_pod_label_lienzo_process"
    assert {"sourceLabels": [source], "targetLabel": "process"} in endpoint["relabelings"]
    assert {"web", "worker", "sweeper", "dispatcher", "beat"} <= processes


def test_alert_rules_are_installed_as_they_are():
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text(encoding="utf-8"))

    assert example("production").of_kind("PrometheusRule")[0]["spec"] == rules
    assert len(rules["groups"]) > 3


def _labels_of_pods(drawn: Drawn) -> Iterator[tuple[str, dict[str, str]]]:
    for one in drawn.of_kind("Deployment", "Job", "CronJob"):
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
        yield _name(one), spec["template"]["metadata"]["labels"]


def _annotations(manifest: Manifest) -> dict[str, str]:
    found: dict[str, str] = manifest["metadata"].get("annotations", {})
    return found


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def _bytes(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]]
