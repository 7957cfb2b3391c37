"""The connections that the chart's notes count, against those that the product opens."""

import re
from collections import Counter

from gateway.management.commands.bootstrap import OWN_CONNECTIONS
from tests.architecture.tree import ROOT, name_of, python_files
from tests.deploy.chart import (
    EXAMPLES,
    Drawn,
    Manifest,
    default_groups,
    draw,
    environment,
    example,
    with_values,
)

# What opens a connection beside the pool, and the processes that do so.
OPENERS = {
    "gateway/services/processes.py": ("web", "worker"),
    "gateway/services/requests/waiting.py": ("web",),
    "gateway/management/commands/sweep.py": ("sweeper",),
}
BESIDE = Counter(process for processes in OPENERS.values() for process in processes)
# Of backup, restore and check_objects: commands, and only for as long as they run.
COMMANDS = "gateway/services/keeping/"
OPENING = re.compile(r"(?<!def )\b(?:use_own_connection|psycopg\.connect)\(")
WITHOUT_DATABASE = "sandbox"
SUM = re.compile(r"hold at most (\d+) connections .* must be above (\d+)\.", re.DOTALL)


def counted(drawn: Drawn) -> tuple[int, int]:
    """Return the connections of which the notes speak, and those of an upgrade."""
    found = SUM.search(drawn.notes)
    assert found, drawn.notes
    return int(found[1]), int(found[2])


def test_openers_are_all_that_there_are():
    found = Counter(
        name_of(path)
        for path in python_files("config", "core", "orgs", "billing", "gateway")
        if not name_of(path).startswith(COMMANDS)
        for _ in OPENING.findall(path.read_text(encoding="utf-8"))
    )

    assert found == dict.fromkeys(OPENERS, 1)
    assert +Counter(OWN_CONNECTIONS) == BESIDE


def test_notes_count_what_the_processes_may_hold():
    for path in EXAMPLES:
        drawn = example(path.stem)
        assert counted(drawn) == (_held(drawn), 2 * _held(drawn)), path.stem


def test_notes_count_the_pool_of_each_group():
    groups = [
        {**group, "settings": {"DATABASE_POOL_SIZE": str(size)}}
        for size, group in enumerate(default_groups(), start=3)
    ]
    drawn = draw(with_values("worker.groups", groups))

    assert counted(drawn) == (_held(drawn), 2 * _held(drawn))


def test_notes_name_no_number_without_pools():
    drawn = draw(with_values("settings.DATABASE_POOL_SIZE", "0"))

    assert SUM.search(drawn.notes) is None
    assert "With DATABASE_POOL_SIZE=0 nothing but what runs at once limits" in drawn.notes


def _held(drawn: Drawn) -> int:
    """Return the most connections of all pods that there may be, outside of an upgrade."""
    return sum(
        _most_pods(drawn, deployment) * _of_a_pod(drawn, container)
        for deployment in drawn.of_kind("Deployment")
        for container in deployment["spec"]["template"]["spec"]["containers"]
        if container["name"] != WITHOUT_DATABASE
    )


def _of_a_pod(drawn: Drawn, container: Manifest) -> int:
    settings = {**drawn.of_kind("ConfigMap")[0]["data"], **environment(container)}
    pool = int(settings.get("DATABASE_POOL_SIZE", _default_pool()))
    processes = int(settings.get("WEB_PROCESSES", "1"))
    return processes * (pool + BESIDE[container["name"]])


def _most_pods(drawn: Drawn, deployment: Manifest) -> int:
    """Return how many an autoscaler may make of it, else those that it asks for."""
    for scaler in drawn.of_kind("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]:
            return int(scaler["spec"]["maxReplicas"])
    return int(deployment["spec"]["replicas"])


def _default_pool() -> str:
    text = (ROOT / "config/settings.py").read_text(encoding="utf-8")
    found = re.search(r'env\.integer\("DATABASE_POOL_SIZE", (\d+)\)', text)
    assert found
    return found[1]
