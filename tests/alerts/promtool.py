"""Prometheus's own tool: it checks rules, and evaluates them over series of a simulated time."""

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

_TIMEOUT_S = 60


@cache
def promtool() -> str:
    """Return the tool's path, taking it out of Debian's package where that is possible."""
    found = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run([Path(__file__).with_name("install.sh")], check=True, timeout=300)
        found = shutil.which("promtool")
    assert found, "No promtool: install Prometheus 2.42 or newer, or name it in PROMTOOL."
    return found


def run_promtool(*arguments: str | Path) -> str:
    """Run the tool; return what it said, and fail with that if it was not content."""
    done = subprocess.run(
        [promtool(), *arguments],
        # It lives too briefly to collect garbage.
        env={**os.environ, "GOGC": "off"},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def check_rules(text: str) -> None:
    """Fail unless a file of rules with this text would be accepted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(text, encoding="utf-8")
        run_promtool("check", "rules", path)
