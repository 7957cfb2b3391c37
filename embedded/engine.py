"""What the three engines have in common."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from embedded.children import Spec


class Engine(Protocol):
    """A server that Lienzo runs for itself on one machine."""

    @property
    def name(self) -> str:
        """The name in messages, of the log file and of the record."""

    def prepare(self) -> None:
        """Create folders, configuration and, the first time, the data. Repeating it is free."""

    def spec(self) -> Spec:
        """Return how to run the prepared server."""

    def is_ready(self) -> bool:
        """Tell whether the running server serves requests."""

    def environment(self) -> Mapping[str, str]:
        """Return the variables by which Lienzo's processes find it."""


def plain_environment(**extra: str) -> dict[str, str]:
    """Return an environment without the user's settings, for programs that read their own."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "LC_ALL": "C", "TZ": "UTC", **extra}


def package_folder(name: str) -> Path | None:
    """Return the folder of an installed package without importing it."""
    found = find_spec(name)
    return Path(found.origin).parent if found and found.origin else None
