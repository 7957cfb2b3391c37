"""The processes of a release, started as its containers would be: they migrate, serve and drain."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import requests

from config.startup import DRAIN_S
from embedded.ports import choose_ports
from embedded.processes import page_files_command
from tests.architecture.tree import ROOT
from tests.deploy.chart import default_groups, draw, example_values
from tests.deploy.pods import Node, write_secrets
from tests.deploy.test_connections import counted
from tests.stack import wait_until
from tests.templates import on_database

pytestmark = [pytest.mark.big, pytest.mark.timeout(900)]
SECRET = "lienzo-secrets"
SLOW_S = 10


def values(public_url: str, keys: list[str]) -> dict[str, object]:
    """Return those of the example with the sandbox, with providers in two groups."""
    images, *others = default_groups()
    elsewhere = [queue for queue in images["queues"] if queue != "generate.sandbox"]
    groups = [
        {**images, "queues": elsewhere, "poolSize": 200},
        {**images, "name": "sandbox", "queues": ["generate.sandbox"], "poolSize": 100},
        *others,
    ]
    # One pod of each is started, and each process opens the one connection of its pool.
    groups = [{**group, "replicas": 1} for group in groups]
    base = example_values("sandbox")
    settings = {
        "S3_ENDPOINT_URL": os.environ["S3_ENDPOINT_URL"],
        "S3_BUCKET": os.environ["S3_BUCKET"],
        "ALLOW_PRIVATE_UPSTREAMS": "1",
        "DATABASE_POOL_SIZE": "1",
    }
    return {
        **base,
        "publicBaseUrl": public_url,
        "settings": settings,
        "secrets": [{"name": SECRET, "as": "files", "keys": {key: key.lower() for key in keys}}],
        "worker": {"groups": groups},
        "sweeper": {"replicas": 1},
        "dispatcher": {"replicas": 1},
    }


@pytest.fixture
def database() -> Iterator[str]:
    """An empty database; its URL."""
    name = f"chart_{uuid4().hex}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{name}"')
        yield on_database(os.environ["DATABASE_URL"], name)
        session.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def node(tmp_path: Path, database: str) -> Iterator[Node]:
    web, sandbox = choose_ports(2)
    secrets = {
        "SECRET_KEY": "s" * 48,
        "API_KEY_HMAC_SECRET": "h" * 48,
        "DATABASE_URL": database,
        # The last of Valkey's databases: no stack of another test has it.
        "REDIS_URL": on_database(os.environ["REDIS_URL"], "15"),
        "S3_ACCESS_KEY_ID": os.environ["S3_ACCESS_KEY_ID"],
        "S3_SECRET_ACCESS_KEY": os.environ["S3_SECRET_ACCESS_KEY"],
    }
    write_secrets(tmp_path, SECRET, secrets)
    drawn = draw(values(f"http://127.0.0.1:{web}", list(secrets)))
    addresses = {"http://shop-lienzo-sandbox:8009": f"http://127.0.0.1:{sandbox}"}
    node = Node(tmp_path, drawn, addresses, {"web": web, "sandbox": sandbox})
    try:
        yield node
    finally:
        node.stop()


def test_release_migrates_serves_and_drains_without_losing_a_request(node, database):
    node.run_job("shop-lienzo-migration")
    _prepare_files_of_pages(node)
    node.start()
    key = _open_test_key(node)
    url = f"http://127.0.0.1:{node.ports['web']}/v1/images/generations"

    def ask(prompt: str) -> requests.Response:
        body = {"model": "openai/dall-e-3", "prompt": prompt}
        headers = {"Authorization": f"Bearer {key}"}
        return requests.post(url, json=body, headers=headers, timeout=60)

    answer = ask("a lighthouse")
    assert answer.status_code == 200, answer.text
    picture = requests.get(answer.json()["data"][0]["url"], timeout=10)
    assert picture.headers["content-type"] == "image/png"

    # Each worker has slots for the queues of its group alone.
    with psycopg.connect(database) as session:
        rows = session.execute("SELECT slots FROM gateway_process WHERE kind = 'worker'").fetchall()
    served = sorted(sorted(slots) for (slots,) in rows)
    providers = sorted(
        queue.removeprefix("generate.")
        for queue in default_groups()[0]["queues"]
        if queue != "generate.sandbox"
    )
    assert served == [[], [], providers, ["sandbox"]]

    # Every process is told to end while a request waits for its image.
    answers: list[requests.Response] = []
    prompt = f"a slow lighthouse [[delay={SLOW_S}]]"
    waiting = threading.Thread(target=lambda: answers.append(ask(prompt)))
    waiting.start()
    running = "SELECT count(*) FROM gateway_generation WHERE status = 'running'"
    with psycopg.connect(database, autocommit=True) as session:
        wait_until(lambda: session.execute(running).fetchone() == (1,), "the slow one runs")
        # Of what the notes count, beat asks nothing of the database, and a web process that nobody
        # waits in does not poll.
        most, _ = counted(node.drawn)
        wait_until(
            lambda: _open_connections(session) >= most - 2, "every process holds its connections"
        )
        assert _open_connections(session) < most
    stopping = [pod for name, pod in node.pods.items() if name != "sandbox"]
    for pod in stopping:
        pod.stop()
    assert {pod.name: pod.wait() for pod in stopping} == {pod.name: 0 for pod in stopping}
    waiting.join(DRAIN_S)

    assert [one.status_code for one in answers] == [200]


def _open_connections(session: psycopg.Connection) -> int:
    """Return how many connections there are to the session's database beside it."""
    row = session.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    ).fetchone()
    assert row
    return int(row[0])


def _prepare_files_of_pages(node: Node) -> None:
    """An image has them."""
    environment = {"PATH": os.environ["PATH"], "LIENZO_VAR": str(node.folder / "var")}
    subprocess.run(page_files_command(), env=environment, cwd=ROOT, check=True)


def _open_test_key(node: Node) -> str:
    def manage(*arguments: str) -> dict[str, str]:
        return dict(json.loads(node.run("web", "manage.py", *arguments, "--json").splitlines()[-1]))

    made = manage("create_org", "Acme", "--currency", "USD")
    return manage("create_api_key", made["id"], "--test")["key"]
