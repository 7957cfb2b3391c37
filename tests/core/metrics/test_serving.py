import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from core.metrics import server
from core.metrics.health import Health, ask_here
from core.metrics.serving import serve_metrics
from embedded.ports import accepts_connections, choose_ports
from tests.stack import wait_until

ROOT = Path(__file__).parents[3]


def get(port: int, path: str) -> tuple[int, str]:
    answer = requests.get(f"http://127.0.0.1:{port}{path}", timeout=10)
    return answer.status_code, answer.text


def serve(port: int, *, life: str = "", service: str = "") -> None:
    health = Health(life=lambda: life, service=lambda: service)
    serve_metrics(
        host="127.0.0.1", port=port, render=lambda: b"some 1\n", health=health, ask=ask_here
    )


def test_pages_say_what_is_counted_and_what_is_wrong():
    [port] = choose_ports(1)
    serve(port, service="the broker is away")

    assert get(port, "/metrics") == (200, "some 1\n")
    assert get(port, "/livez") == (200, "ok\n")
    assert get(port, "/readyz?verbose") == (503, "the broker is away\n")
    assert get(port, "/admin")[0] == 404
    assert requests.post(f"http://127.0.0.1:{port}/livez", timeout=10).status_code == 405
    head = requests.head(f"http://127.0.0.1:{port}/metrics", timeout=10)
    assert (head.status_code, head.headers["Content-Length"], head.text) == (200, "7", "")


def test_callers_who_say_nothing_hold_up_no_other():
    [port] = choose_ports(1)
    serve(port, life="stuck")

    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]

    assert get(port, "/livez") == (503, "stuck\n")
    for one in silent:
        one.close()


def test_taken_port_is_said_and_taken_once_it_is_free(caplog, monkeypatch):
    monkeypatch.setattr(server, "_TRY_AGAIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        serve(port)

    assert f"metrics.port_taken host=127.0.0.1 port={port}" in caplog.text
    wait_until(lambda: accepts_connections(port), "the port is tried again")
    assert get(port, "/livez") == (200, "ok\n")


def test_no_port_serves_nothing():
    health = Health(life=str, service=str)

    assert (
        serve_metrics(host="127.0.0.1", port=0, render=bytes, health=health, ask=ask_here) is None
    )


@pytest.fixture
def process_of_greenlets():
    [port] = choose_ports(1)
    script = Path(__file__).with_name("patched.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(port)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        bufsize=0,
    )
    wait_until(lambda: accepts_connections(port), "the process has started")
    assert process.stdin is not None
    yield port, process.stdin
    process.stdin.close()
    process.kill()
    process.wait()


def test_hub_that_stands_still_is_told_until_it_moves_again(process_of_greenlets):
    port, stdin = process_of_greenlets
    before = get(port, "/livez")

    held_up = get(port, "/readyz")
    meanwhile = get(port, "/livez"), get(port, "/metrics")

    assert before == (200, "ok\n")
    assert held_up == (503, "The process stands still.\n")
    assert meanwhile == (held_up, held_up)
    stdin.write(b"x")
    wait_until(lambda: get(port, "/livez") == (200, "ok\n"), "it moves again")
    assert get(port, "/metrics") == (200, "some 1\n")
