import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from sandbox.directives import Directive, parse, strip


def test_directives_are_read_with_their_options():
    prompt = "a [[status=429;retry_after=3;times=2]] b [[delay=0.5]] c [[hang=submit, at=x]]"

    assert parse(prompt) == (
        Directive("status", "429", times=2),
        Directive("retry_after", "3", times=2),
        Directive("delay", "0.5"),
        Directive("hang", "submit", at="x"),
    )
    assert strip(prompt) == "a b c"


def test_text_that_only_looks_like_a_directive_does_nothing():
    assert (
        parse("[[status=999]] [[delay=inf]] [[delay=-1]] [[unknown]] [[]] [delay=1] [[a [[") == ()
    )


def test_log_counts_generation_calls_by_prompt(sandbox):
    sandbox.openai(prompt="otter one", size="256x256")
    sandbox.openai(prompt="otter two [[status=500]]")
    job = sandbox.fal("POST", "fal-ai/flux/dev", {"prompt": "otter three"}).json()
    sandbox.fal("GET", job["status_url"])

    assert sandbox.calls("otter") == 3
    assert sandbox.calls("otter", operation="any") == 4
    assert sandbox.calls("otter", provider="fal") == 1
    last = requests.get(f"{sandbox.url}/_log", params={"contains": "otter", "limit": "1"}).json()
    assert last["count"] == 3
    assert last["calls"][0]["request_id"] == job["request_id"]
    assert (last["calls"][0]["model"], last["calls"][0]["status"]) == ("fal-ai/flux/dev", 200)


def test_fault_rates_apply_to_one_provider_until_reset(sandbox):
    changed = sandbox.configure(openai={"fault_rates": {"500": 1.0}})

    assert changed.json()["openai"]["fault_rates"] == {"status=500": 1.0}
    assert sandbox.openai(prompt="a fox").status_code == 500
    job = sandbox.fal("POST", "fal-ai/flux/dev", {"prompt": "a fox"}).json()
    assert sandbox.fal("GET", job["response_url"]).status_code == 200
    sandbox.configure(reset=True)
    assert sandbox.openai(prompt="a fox", size="256x256").status_code == 200


def test_bad_settings_are_refused_and_change_nothing(sandbox):
    before = requests.get(f"{sandbox.url}/_config").json()

    answers = [
        sandbox.configure(surprise=1),
        sandbox.configure(delay_s="soon"),
        sandbox.configure(fault_rates={"500": 2}),
        sandbox.configure(delay_s=1, openai={"retired": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert requests.get(f"{sandbox.url}/_config").json() == before


def test_calls_run_side_by_side(sandbox):
    started = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(
                lambda number: sandbox.openai(prompt=f"bird {number} [[delay=1]]", size="256x256"),
                range(20),
            )
        )

    assert {answer.status_code for answer in answers} == {200}
    # One after the other they would take 20 s.
    assert time.monotonic() - started < 15


def test_inherited_socket_is_served():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    child = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--fd", str(listener.fileno())],
        cwd=Path(__file__).parents[2],
        pass_fds=[listener.fileno()],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
    )
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10)
        assert answer.json() == {"status": "ok"}
    finally:
        child.terminate()
        child.wait(timeout=10)
        listener.close()


def test_sandbox_imports_neither_django_nor_the_apps():
    script = (
        "import sys, sandbox.openai, sandbox.fal, sandbox.server\n"
        "names = {name.split('.')[0] for name in sys.modules}\n"
        "print(names & {'django', 'core', 'orgs', 'billing', 'gateway', 'config', 'celery'})"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "set()"
