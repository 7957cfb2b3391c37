"""Commands and environment of the chart's containers against those of `make run` and the docs."""

import re
from pathlib import Path

import pytest

from config.settings import VERSION
from embedded.processes import preparations, process_table
from tests.architecture.tree import DOCS, table_rows
from tests.deploy.chart import EXAMPLES, chart, default_groups, draw, environment, example

POOL = "77"
SOCKET, PORT = 3, 8009
# Where they differ: a pod listens on its own address, and keeps nothing.
INSTEAD = {f"--bind fd://{SOCKET} ": "", "--port ": "--host 0.0.0.0 --port "}


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The commands of `make run`, as they would be in a pod."""
    var: Path = tmp_path_factory.mktemp("var")
    variables = {"LIENZO_VAR": str(var), "WORKER_POOL_SIZE": POOL}
    table = process_table(variables, web_socket=SOCKET, sandbox_port=PORT)
    found = {}
    for spec, _ in table:
        command = " ".join(("python", *spec.argv[1:])).replace(str(var / "beat"), "/tmp")
        for ours, theirs in INSTEAD.items():
            command = command.replace(ours, theirs) if ours in command else command
        found[spec.name] = command
    return found


def test_processes_have_the_commands_of_make_run(at_home):
    drawn = example("sandbox")
    ours = {}
    for component in ("web", "sweeper", "dispatcher", "beat", "sandbox"):
        (container,) = drawn.deployment(component)["spec"]["template"]["spec"]["containers"]
        ours[container["name"]] = " ".join(container["command"])

    assert ours == {name: text for name, text in at_home.items() if name != "worker"}


def test_worker_groups_have_the_command_of_make_run_and_share_out_its_queues(at_home):
    command = re.compile(r"^(.* -c )(\d+) -Q (\S+)( .*)$")
    home = command.match(at_home["worker"])
    assert home

    for path in EXAMPLES:
        queues: list[str] = []
        for pod_name, container in example(path.stem).containers():
            if "-worker-" not in pod_name:
                continue
            ours = command.match(" ".join(container["command"]))
            assert ours, pod_name
            assert (ours[1], ours[4]) == (home[1], home[4])
            assert environment(container)["WORKER_POOL_SIZE"] == ours[2]
            queues += ours[3].split(",")
        assert sorted(queues) == sorted(home[3].split(",")), path.stem


def test_thumbnails_have_workers_of_their_own_by_default():
    owner = {queue: group["queues"] for group in default_groups() for queue in group["queues"]}

    assert owner["thumbnails"] == ["thumbnails"]
    assert "default" not in owner["generate.openai"]


def test_migration_runs_the_preparations_in_their_order():
    job = draw().named("Job", "shop-lienzo-migration")
    pod = job["spec"]["template"]["spec"]

    steps = [*pod["initContainers"], *pod["containers"]]

    expected = [["python", *command[1:]] for _, command in preparations()]
    assert [step["command"] for step in steps] == expected


def test_environment_has_documented_names_only():
    documented = {
        name
        for row in table_rows(DOCS / "settings.md")
        for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row[0])
    }
    # The page says of them that each provider has one: `<P>_API_KEY` is a row for each.
    for path in EXAMPLES:
        drawn = example(path.stem)
        names = {key for one in drawn.of_kind("ConfigMap") for key in one["data"]}
        for _, container in drawn.containers():
            names |= {one["name"].removesuffix("_FILE") for one in container.get("env", ())}

        assert {"PUBLIC_BASE_URL", "METRICS_PORT", "WORKER_POOL_SIZE"} <= names
        assert names - documented == set(), path.stem


def test_secrets_reach_processes_by_environment_by_name_and_as_files():
    (web,) = example("production").deployment("web")["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one for one in web["env"]}

    assert {"secretRef": {"name": "lienzo-secrets"}} in web["envFrom"]
    reference = variables["DATABASE_URL"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "lienzo-db-app", "key": "uri"}
    path = variables["OPENAI_API_KEY_FILE"]["value"]
    mounts = {one["name"]: one["mountPath"] for one in web["volumeMounts"]}
    volumes = example("production").deployment("web")["spec"]["template"]["spec"]["volumes"]
    (volume,) = [one for one in volumes if "secret" in one]
    assert {"key": "openai", "path": "OPENAI_API_KEY"} in volume["secret"]["items"]
    assert path == f"{mounts[volume['name']]}/OPENAI_API_KEY"


def test_version_is_that_of_the_product():
    assert chart().metadata["appVersion"] == VERSION
