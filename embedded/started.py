"""With which settings a supervisor was started, which it keeps, and whether a caller has others.

Values are kept as digests, as keys are among them.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from embedded.children import recorded_pid
from embedded.environment import settings_of
from embedded.errors import EmbeddedError
from embedded.files import read_env_file, write_private
from embedded.orders import give
from embedded.state import cluster_folder, demo_file, services_file, supervisor_record
from embedded.supervisor import say


def write_started(var: Path, environ: Mapping[str, str]) -> None:
    """Note the settings of the user's environment with which a supervisor begins."""
    digests = {name: _digest(value) for name, value in settings_of(environ).items() if value}
    write_private(_file(var), json.dumps(digests, indent=2) + "\n")


def running_folder(var: Path) -> Path:
    """Return the state folder of what runs: the cluster's where nothing but a cluster does."""
    cluster = cluster_folder(var)
    is_cluster = not _runs(var) and _runs(cluster)
    return cluster if is_cluster else var


def order_restart(var: Path, names: list[str], environ: Mapping[str, str]) -> None:
    """Have what runs on a state folder restart its processes, with the settings that it has.

    Raises:
        EmbeddedError: Nothing runs there, a process does not come up again, or the caller's
            settings are others, which a restart would not heed.
    """
    if _runs(var):
        _refuse_others(var, environ)
    give(var, ["restart", *names])


def _refuse_others(var: Path, environ: Mapping[str, str]) -> None:
    try:
        started: dict[str, str] = json.loads(_file(var).read_text(encoding="utf-8"))
    except FileNotFoundError:
        # It was started by a release that did not note them.
        return
    # What its own files say is no change: people load them into their shells.
    shown = {**read_env_file(demo_file(var)), **read_env_file(services_file(var))}
    others = [
        name
        for name, value in sorted(settings_of(environ).items())
        if value != shown.get(name) and (_digest(value) if value else None) != started.get(name)
    ]
    if others:
        unset = " ".join(f"-u {name}" for name in others)
        raise EmbeddedError(
            f"{', '.join(others)}: not what Lienzo was started with, and a restart keeps its "
            f"settings. For new ones stop it and start it again; to restart with those it has: "
            f"env {unset} make restart"
        )
    kept = f": {', '.join(sorted(started))}" if started else ""
    say(f"Settings stay those of the start{kept}.")


def _runs(var: Path) -> bool:
    return recorded_pid(supervisor_record(var)) is not None


def _file(var: Path) -> Path:
    return var / "run" / "settings.json"


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
