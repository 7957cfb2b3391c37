import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.core.http.upstream import PROMPTLY_S, Upstream

ROOT = Path(__file__).parents[3]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n"


def run_patched(urls: list[str]) -> list[tuple[str, float]]:
    script = Path(__file__).with_name("patched.py")
    done = subprocess.run(
        [sys.executable, str(script), *urls],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        timeout=60,
    )
    results: list[tuple[str, float]] = json.loads(done.stdout)
    return results


def test_every_kind_of_slowness_ends_at_the_deadline(upstream: Upstream):
    upstream.on("GET", "/silent", lambda exchange: exchange.hang())
    upstream.on("GET", "/headers", lambda exchange: exchange.drip(HEAD * 9, every_s=0.04))
    upstream.on("GET", "/body", lambda exchange: exchange.drip(HEAD + b"\r\n" * 99, every_s=0.04))
    upstream.answers("GET", "/quick", b"image")
    # A listener that never accepts: the connection is made by the kernel, and no byte is ever read.
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf_url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        urls = [f"{upstream.url}/{name}" for name in ("silent", "headers", "body")]
        results = run_patched([*urls, deaf_url, f"{upstream.url}/quick"])

    *slow, quick = results
    assert [word for word, _ in slow] == ["TimedOut True"] * 4
    assert all(0.4 < seconds < PROMPTLY_S for _, seconds in slow)
    assert quick[0] == "answered"


def test_hundred_silent_calls_wait_side_by_side(upstream: Upstream):
    upstream.on("GET", "/silent", lambda exchange: exchange.hang())

    results = run_patched([f"{upstream.url}/silent"] * 100)

    assert {word for word, _ in results} == {"TimedOut True"}
    assert max(seconds for _, seconds in results) < PROMPTLY_S
