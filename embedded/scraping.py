"""The list of the processes' metrics, as Prometheus reads it (`file_sd_configs`)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedded.children import Spec
from embedded.files import write_private
from embedded.ports import LOOPBACK

_EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - mapped away


def metrics_file(var: Path) -> Path:
    """Return the file that lists where each process shows its metrics."""
    return var / "run" / "metrics.json"


def write_targets(var: Path, specs: Sequence[Spec]) -> None:
    """List the processes, each with its kind as the label `process`, and its host where it has one.

    The name of a process is its kind, or host and kind.
    """
    targets = []
    for spec in specs:
        host, _, kind = spec.name.rpartition("-")
        labels = {"process": kind, **({"host": host} if host else {})}
        targets.append({"targets": [_address(spec.env)], "labels": labels})
    write_private(metrics_file(var), json.dumps(targets, indent=2) + "\n")


def _address(environment: Mapping[str, str]) -> str:
    host = environment.get("METRICS_HOST") or LOOPBACK
    shown = _EVERYWHERE.get(host, host)
    address = f"[{shown}]" if ":" in shown else shown
    return f"{address}:{environment.get('METRICS_PORT', '0')}"
