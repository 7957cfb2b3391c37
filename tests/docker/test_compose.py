"""The compose file against the specification, and against what `make run` starts."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from config import gunicorn
from config.startup import DRAIN_S
from embedded.postgres import Postgres
from embedded.processes import preparations, process_table
from embedded.seaweedfs import SeaweedFS
from embedded.valkey import Valkey
from gateway.catalog.registry import catalog
from tests.architecture.tree import DOCS, table_rows
from tests.docker.files import DOCKER, compose, seconds

MEMORY = compose()["services"]["beat"]["tmpfs"][0].partition(":")[0]
PRODUCT = ("web", "worker", "sweeper", "dispatcher", "beat")


def test_processes_are_started_as_make_run_starts_them(tmp_path: Path):
    services = compose()["services"]
    environment = {**services["worker"]["environment"], "LIENZO_VAR": str(tmp_path)}
    table = process_table(environment, web_socket=7, sandbox_port=8009)

    # Where a process listens and keeps what it may lose is all that may differ.
    for spec, _ in table:
        command = [str(one) for one in services[spec.name]["command"]]
        expected = ["python", *spec.argv[1:]]
        if spec.name == "web":
            place = expected.index("--bind")
            del expected[place : place + 2]
        if spec.name == "beat":
            expected[expected.index("-s") + 1] = f"{MEMORY}/schedule"
        if spec.name == "sandbox":
            expected[3:3] = ["--host", "0.0.0.0"]
        assert command == expected, spec.name
    assert {spec.name for spec, _ in table} == {*PRODUCT, "sandbox"}


def test_preparations_are_those_of_make_run():
    script = compose()["services"]["prepare"]["command"][-1]

    assert [shlex.split(line) for line in script.splitlines()] == [
        ["python", *command[1:]] for _, command in preparations()
    ]
    assert all(command[0] == sys.executable for _, command in preparations())


def test_engines_are_set_up_as_make_run_sets_them_up(tmp_path: Path):
    services = compose()["services"]
    seaweedfs = SeaweedFS(tmp_path, tuple(range(8)), "key", "secret", "public", "private")
    places = re.compile(r"(.*\.port(\.grpc)?|-ip|-ip\.bind|-dir|-s3\.config)=")

    embedded = {one for one in seaweedfs.spec().argv[1:] if not places.match(one)}
    assert embedded <= set(services["seaweedfs"]["command"])
    valkey = Valkey(tmp_path / "valkey", 1, "password")
    valkey.prepare()
    lines = (tmp_path / "valkey" / "valkey.conf").read_text(encoding="utf-8").splitlines()
    command = services["valkey"]["command"]
    for name in ("maxmemory-policy", "appendonly", "appendfsync", "save"):
        value = next(line.split()[1] for line in lines if line.startswith(f"{name} "))
        assert command[command.index(f"--{name}") + 1] == value.strip('"'), name
    postgres = " ".join(Postgres(tmp_path, 1, "password").spec().argv)
    for option in services["postgres"]["command"][2::2]:
        assert option in postgres


def test_every_variable_of_the_processes_is_a_setting():
    documented = {name for row in table_rows(DOCS / "settings.md") for name in _names(row[0])}
    services = compose()["services"]
    written = {name.removesuffix("_FILE") for name in services["web"]["environment"]}
    written |= {name.removesuffix("_FILE") for name in _example_names()}

    ours = {"LIENZO_IMAGE", "COMPOSE_PROFILES"}
    assert written - documented == ours
    assert all(
        services[name]["environment"] == services["web"]["environment"]
        for name in (*PRODUCT, "prepare")
    )


def test_every_secret_is_made_and_given_to_who_reads_it():
    document = compose()
    script = (DOCKER / "secrets.sh").read_text(encoding="utf-8")
    used = {one for service in document["services"].values() for one in service.get("secrets", [])}

    assert used == set(document["secrets"])
    for name, secret in document["secrets"].items():
        assert secret == {"file": f"secrets/{name}"}
        assert f"put {name} " in script or f"secrets/{name}" in script
    web = document["services"]["web"]
    files = [value for name, value in web["environment"].items() if name.endswith("_FILE")]
    assert sorted(files) == sorted(f"/run/secrets/{name}" for name in web["secrets"])


def test_stopping_takes_as_long_as_the_longest_request():
    services = compose()["services"]
    longest_s = max(model.deadline_s for model in catalog().models())

    assert longest_s < gunicorn.graceful_timeout
    for name in ("web", "worker", "proxy"):
        grace_s = seconds(services[name]["stop_grace_period"])
        assert grace_s > max(DRAIN_S, gunicorn.graceful_timeout), name
    assert services["proxy"]["stop_signal"] == "SIGQUIT"
    proxy = (DOCKER / "nginx.conf").read_text(encoding="utf-8")
    for name in ("proxy_read_timeout", "proxy_send_timeout", "worker_shutdown_timeout"):
        found = re.search(rf"{name} (\d+)s;", proxy)
        assert found is not None
        assert int(found[1]) > gunicorn.graceful_timeout


def test_proxy_leaves_it_to_web_to_refuse_long_bodies():
    found = re.search(
        r"client_max_body_size (\d+)m;", (DOCKER / "nginx.conf").read_text(encoding="utf-8")
    )

    assert found is not None
    assert int(found[1]) * 2**20 > settings.UPLOAD_MAX_BYTES


def test_buckets_have_one_name_everywhere():
    environment = compose()["services"]["web"]["environment"]
    proxy = (DOCKER / "nginx.conf").read_text(encoding="utf-8")
    secrets = (DOCKER / "secrets.sh").read_text(encoding="utf-8")

    assert f"location /{environment['S3_PRIVATE_BUCKET']}/ {{" in proxy
    assert f'\\"Read:{environment["S3_BUCKET"]}\\"' in secrets
    assert environment["S3_PUBLIC_BASE_URL"].endswith(f"/{environment['S3_BUCKET']}")


@pytest.mark.parametrize("name", ["postgres", "valkey", "seaweedfs"])
def test_engines_are_on_no_network_that_leads_outside(name: str):
    document = compose()
    service = document["services"][name]

    assert "ports" not in service
    assert all(document["networks"][one]["internal"] for one in service["networks"])


def test_processes_are_confined():
    services = compose()["services"]

    for name in (*PRODUCT, "prepare", "sandbox", "proxy"):
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "limits" in service.get("deploy", {}).get("resources", {}) or name == "prepare"


def _names(cell: str) -> Iterator[str]:
    yield from re.findall(r"`([A-Z][A-Z0-9_]+)`", cell)


def _example_names() -> Iterator[str]:
    for line in (DOCKER / "example.env").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"#?([A-Z][A-Z0-9_]+)=", line):
            yield found[1]
