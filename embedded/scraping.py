"""The list of the processes' metrics, as Prometheus reads it (`file_sd_configs`)."""

import json
from collections.abc import Mapping
from pathlib import Path

from embedded.files import write_private
from embedded.ports import LOOPBACK

_EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - mapped away


def metrics_file(var: Path) -> Path:
    """Return the file that lists where each process shows its metrics."""
    return var / "run" / "metrics.json"


def write_targets(var: Path, host: str, ports: Mapping[str, int]) -> None:
    """List the processes, each with its name as the label `process`."""
    shown = _EVERYWHERE.get(host, host)
    address = f"[{shown}]" if ":" in shown else shown
    targets = [
        {"targets": [f"{address}:{port}"], "labels": {"process": name}}
        for name, port in ports.items()
    ]
    write_private(metrics_file(var), json.dumps(targets, indent=2) + "\n")
