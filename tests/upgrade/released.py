"""The release before this one: its version, its commit and the last migrations it had."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

ROOT = Path(__file__).resolve().parent.parent.parent
_FILE = Path(__file__).with_name("released.json")


@dataclass(frozen=True, slots=True)
class Release:
    """What `released.json` says; it is written anew when a version is released."""

    version: str
    commit: str
    migrations: dict[str, str]

    def later(self, loader: MigrationLoader) -> list[Migration]:
        """Return the migrations that came after it, in the order of their names."""
        return [
            migration
            for (app, name), migration in sorted(loader.disk_migrations.items())
            if app in self.migrations and name > self.migrations[app]
        ]

    def has_history(self) -> bool:
        """Whether its commit is in the repository's history; a copy without history has none."""
        command = ("git", "cat-file", "-e", f"{self.commit}^{{commit}}")
        try:
            done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
        except FileNotFoundError:
            return False
        return done.returncode == 0

    def unpack(self, folder: Path) -> None:
        """Write its files into a folder."""
        archive = subprocess.run(
            ("git", "archive", self.commit), cwd=ROOT, check=True, capture_output=True
        ).stdout
        subprocess.run(("tar", "-x", "-C", str(folder)), input=archive, check=True)


def read_release() -> Release:
    """Return the last release."""
    return Release(**json.loads(_FILE.read_text(encoding="utf-8")))
