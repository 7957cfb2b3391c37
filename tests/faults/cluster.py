"""Two hosts under one supervisor, and a client's view of them."""

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from embedded.cluster.network import Namespaces
from embedded.environment import without_settings
from embedded.files import read_env_file
from tests.faults.stack import ROOT, Stack


class Cluster(Stack):
    """`make run-cluster` in a temporary folder."""

    def __init__(self, *, plain: bool) -> None:
        self.is_plain = plain
        if plain:
            self.program = (*self.program, "--plain")
        super().__init__()

    program: Sequence[str] = ("embedded.cluster", "run")

    def state_folder(self) -> Path:
        """Return where the supervisor keeps its state."""
        return self._folder / "var" / "cluster"

    def upstream_host(self) -> str:
        """Return the address under which workers find the upstream."""
        return "127.0.0.1" if self.is_plain else Namespaces(self.var).services

    def base_urls(self) -> dict[str, str]:
        """Return the address of each host's API."""
        demo = read_env_file(self.var / "demo.env")
        return {name: demo[f"LIENZO_BASE_URL_{name.upper()}"] for name in ("a", "b")}

    @property
    def base_url(self) -> str:
        """The address of the first host."""
        return self.base_urls()["a"]

    def order(self, *words: str) -> str:
        """Give an order, as a person does, and return what was said."""
        done = subprocess.run(
            [sys.executable, "-m", "embedded.cluster", *words],
            cwd=ROOT,
            env={**without_settings(os.environ), "LIENZO_VAR": str(self._folder / "var")},
            check=False,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def worker_serves(self) -> bool:
        """Whether the present workers of both hosts have announced themselves."""
        query = "SELECT pid FROM gateway_process WHERE kind = 'worker' AND ended_at IS NULL"
        pids = {row["pid"] for row in self.rows(query)}
        return {self.pid("a-worker"), self.pid("b-worker")} <= pids


class Turns:
    """A client's list of hosts: every try goes to the next one."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = itertools.cycle(urls)

    @property
    def base_url(self) -> str:
        """The address for the next try."""
        return next(self._urls)
