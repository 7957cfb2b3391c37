"""A machine backed up under load, destroyed, and built anew from the file and the images."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded.environment import without_settings
from embedded.session import remove_state
from tests.faults.audit import balance_of
from tests.faults.clients import FAL, OPENAI, Call, Crowd, mixed_calls
from tests.faults.stack import MILLION, ROOT, Organization, Stack, wait_for

pytestmark = [pytest.mark.big, pytest.mark.timeout(900), pytest.mark.xdist_group("supervisor")]
PER_SECOND = 4
MOST = 400
BEFORE_S = 10.0
AFTER_S = 3.0
PAID = 1000
_GENERATIONS = """
SELECT g.id, g.status, g.charged_micros, encode(a.sha256, 'hex') AS sha256, a.key
FROM gateway_generation AS g LEFT JOIN gateway_artifact AS a ON a.generation_id = g.id
WHERE g.organization_id = %s
"""


@pytest.fixture
def machines():
    """What the test starts; all of it ends with it."""
    started: list[Stack] = []
    yield started
    for stack in reversed(started):
        stack.close()


def manage(var: Path, *words: str, engines: bool = False) -> Any:
    """Run a command in a process of its own, on the running engines or with them."""
    python = [sys.executable, "manage.py"]
    if engines:
        python = [sys.executable, "-m", "embedded", "exec", "--", *python]
    done = subprocess.run(
        [*python, *words, "--json"],
        cwd=ROOT,
        env={**without_settings(os.environ), "LIENZO_VAR": str(var)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def generations(stack: Stack, organization: Organization) -> dict[str, Any]:
    return {str(row["id"]): row for row in stack.rows(_GENERATIONS, organization.id)}


def ended(stack: Stack, organization: Organization) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = generations(stack, organization)
        return found if all(row["status"] == "succeeded" for row in found.values()) else None

    return wait_for(look, timeout_s=120, message="every generation succeeds") or {}


def back_up_under_load(
    stack: Stack, organization: Organization, file: Path
) -> tuple[dict[str, Any], list[Call], float]:
    """Return what the backup printed, all calls, and when it began."""
    crowd = Crowd(stack)
    for model in (OPENAI, FAL):
        crowd.send(Call(organization, model=model, prompt=f"held {model} <gate=backup>"))
    is_enough = threading.Event()

    def send() -> None:
        for call in mixed_calls(organization, MOST, "backed-up", delay_s=1):
            crowd.send(call)
            if is_enough.wait(1 / PER_SECOND):
                return

    load = threading.Thread(target=send)
    load.start()
    time.sleep(BEFORE_S)
    began_s = time.monotonic()
    printed = manage(stack.var, "backup", str(file))
    # What was held at its snapshot is finished by the old machine, and answered.
    stack.upstream.open_gate("backup")
    time.sleep(AFTER_S)
    is_enough.set()
    load.join()
    answered = crowd.join()
    assert [call.status for call in answered] == [200] * len(answered)
    return printed, answered, began_s


def rebuild(old: Stack, file: Path, printed: dict[str, Any]) -> Stack:
    """Destroy a machine, and start another on its secrets, its images and the backup."""
    kept = file.parent / "kept"
    old.stop()
    shutil.copytree(old.var / "seaweedfs", kept / "seaweedfs", symlinks=True)
    shutil.copy(old.var / "secrets.env", kept)
    remove_state(old.var)

    def restore(var: Path) -> None:
        shutil.copytree(kept, var, symlinks=True)
        printed.update(manage(var, "restore", str(file), engines=True))

    return Stack(upstream=old.upstream, prepare=restore)


def test_machine_backed_up_under_load_and_rebuilt_has_lost_and_doubled_nothing(
    machines: list[Stack], tmp_path: Path
) -> None:
    file = tmp_path / "lienzo.backup"
    old = Stack()
    machines.append(old)
    organization = old.organization(str(PAID))
    written, calls, began_s = back_up_under_load(old, organization, file)
    there = ended(old, organization)

    restored: dict[str, Any] = {}
    new = rebuild(old, file, restored)
    machines.append(new)

    assert restored["snapshot_at"] == written["snapshot_at"]
    assert (restored["violations"], restored["warnings"]) == (0, [])
    assert restored["rows"] == written["rows"]
    assert restored["settled"] >= 2
    here = ended(new, organization)
    # Whatever was answered before the backup began is there, and nothing the old one had not.
    due = {_id_of(call) for call in calls if call.tries[-1].ended_s < began_s}
    assert len(due) > PER_SECOND
    assert due <= here.keys() < there.keys()
    assert {key: there[key] for key in here} == here
    _check_books(new, organization, here)
    _check_serving(new, organization, here)
    print(f"{len(there)} before, {len(here)} restored, {restored['settled']} settled of them")


def _check_books(stack: Stack, organization: Organization, here: dict[str, Any]) -> None:
    balance = balance_of(stack, organization)
    charged = sum(row["charged_micros"] for row in here.values())
    assert (balance["held"], balance["posted"]) == (0, PAID * MILLION - charged)
    captures = stack.rows(
        "SELECT reference FROM billing_journalentry WHERE kind = 'capture' AND reference = ANY(%s)",
        list(here),
    )
    assert Counter(row["reference"] for row in captures) == Counter(list(here))
    assert json.loads(stack.command("verify_ledger", "--objects", "--json"))["violations"] == 0


def _check_serving(stack: Stack, organization: Organization, here: dict[str, Any]) -> None:
    """Old keys call, old images are read, and the new machine draws."""
    for row in here.values():
        image = requests.get(f"{stack.base_url}/generated-images/{row['key']}", timeout=30)
        assert hashlib.sha256(image.content).hexdigest() == row["sha256"]
    crowd = Crowd(stack)
    crowd.send(Call(organization, model=OPENAI, prompt="after the restore"))
    assert [call.status for call in crowd.join()] == [200]


def _id_of(call: Call) -> str:
    """Return the UUID in a `req_…` id."""
    text = call.tries[-1].generation_id.removeprefix("req_")
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
