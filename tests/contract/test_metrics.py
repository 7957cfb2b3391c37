"""What the processes of a running product show on ports of their own."""

import requests

from tests.stack import Stack

# Beat is not part of the tests' product.
PROCESSES = ("web", "worker", "sweeper", "dispatcher")


def ask(stack: Stack, process: str, path: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{stack.metrics_ports[process]}{path}", timeout=20)


def test_every_process_lives_and_serves(stack: Stack):
    for process in PROCESSES:
        for path in ("/livez", "/readyz"):
            answer = ask(stack, process, path)
            assert (answer.status_code, answer.text) == (200, "ok\n"), (process, path)


def test_public_port_shows_nothing_of_it(stack: Stack):
    for path in ("/metrics", "/livez"):
        assert requests.get(f"{stack.url}{path}", timeout=10).status_code == 404
