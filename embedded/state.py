"""What is kept between starts: secrets in ``secrets.env``, ports in ``state.json``."""

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.children import Folders, recorded_pid
from embedded.engine import Engine
from embedded.files import make_folder, read_env_file, write_env_file, write_private
from embedded.ports import LOOPBACK, choose_ports
from embedded.postgres import PORTS as POSTGRES_PORTS
from embedded.postgres import Postgres
from embedded.seaweedfs import PORTS as SEAWEEDFS_PORTS
from embedded.seaweedfs import SeaweedFS
from embedded.valkey import PORTS as VALKEY_PORTS
from embedded.valkey import Valkey

SUPERVISOR = "supervisor"
PUBLIC_BUCKET = "generated-images"
PROCESSES = ("web", "worker", "sweeper", "dispatcher", "beat")
"""The product's own, each of which shows its metrics on a port of its own."""
_SECRETS = (
    "POSTGRES_PASSWORD",
    "VALKEY_PASSWORD",
    "S3_ACCESS_KEY_ID",
    "S3_SECRET_ACCESS_KEY",
    "SECRET_KEY",
    "API_KEY_HMAC_SECRET",
    "STRIPE_WEBHOOK_SECRET",
)
_PORTS = {
    "postgres": POSTGRES_PORTS,
    "valkey": VALKEY_PORTS,
    "seaweedfs": SEAWEEDFS_PORTS,
    "sandbox": 1,
    "metrics": len(PROCESSES),
}


@dataclass(frozen=True, slots=True)
class State:
    """The secrets and ports of one state folder.

    Its services listen on ``address``, to whoever has an address of the network ``clients``.
    """

    var: Path
    secrets: Mapping[str, str]
    ports: Mapping[str, tuple[int, ...]]
    address: str = LOOPBACK
    clients: str = f"{LOOPBACK}/32"

    def postgres(self, *, for_tests: bool = False) -> Postgres:
        """Return this folder's PostgreSQL; for tests it is quick instead of durable."""
        return Postgres(
            var=self.var,
            port=self.ports["postgres"][0],
            password=self.secrets["POSTGRES_PASSWORD"],
            durable=not for_tests,
            create_databases=for_tests,
            host=self.address,
            clients=self.clients,
        )

    def valkey(self, *, for_tests: bool = False) -> Valkey:
        """Return this folder's Valkey."""
        return Valkey(
            home=self.var / "valkey",
            port=self.ports["valkey"][0],
            password=self.secrets["VALKEY_PASSWORD"],
            durable=not for_tests,
            host=self.address,
        )

    def seaweedfs(self, *, public_bucket: str, private_bucket: str) -> SeaweedFS:
        """Return this folder's S3."""
        return SeaweedFS(
            home=self.var / "seaweedfs",
            ports=self.ports["seaweedfs"],
            access_key=self.secrets["S3_ACCESS_KEY_ID"],
            secret_key=self.secrets["S3_SECRET_ACCESS_KEY"],
            public_bucket=public_bucket,
            private_bucket=private_bucket,
            host=self.address,
        )

    def metrics_ports(self) -> Mapping[str, int]:
        """Return the port on which each process shows its metrics."""
        return dict(zip(PROCESSES, self.ports["metrics"], strict=True))

    def engines_for_tests(self) -> tuple[Engine, ...]:
        """Return all three engines, quick instead of durable; the slowest to start comes first."""
        return (
            self.seaweedfs(public_bucket=PUBLIC_BUCKET, private_bucket=f"{PUBLIC_BUCKET}-private"),
            self.valkey(for_tests=True),
            self.postgres(for_tests=True),
        )


def open_state(var: Path, *, address: str = LOOPBACK, clients: str = f"{LOOPBACK}/32") -> State:
    """Read the state of ``var``, generating what is missing and replacing taken ports.

    Call it while no engine of this folder runs: the ports in use would count as taken.
    """
    # Passable, not readable: as root, PostgreSQL's account has to get to its own folder.
    make_folder(var, mode=0o711)
    return State(
        var=var,
        secrets=_open_secrets(var),
        ports=_open_ports(var),
        address=address,
        clients=clients,
    )


def fresh_metrics_ports() -> Mapping[str, int]:
    """Return ports for the metrics of one more host's processes."""
    return dict(zip(PROCESSES, choose_ports(len(PROCESSES)), strict=True))


def services_file(var: Path) -> Path:
    """Return the file that holds the environment of the running processes."""
    return Folders.under(var).records / "services.env"


def demo_file(var: Path) -> Path:
    """Return the file that holds the demo's access data while Lienzo is ready."""
    return var / "demo.env"


def supervisor_record(var: Path) -> Path:
    """Return the file that names the running supervisor."""
    return var / "run" / f"{SUPERVISOR}.pid"


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the absolute state folder: ``LIENZO_VAR``, or ``var`` beside this package."""
    default = Path(__file__).resolve().parent.parent / "var"
    chosen = environ.get("LIENZO_VAR")
    return Path(os.path.abspath(chosen)) if chosen else default  # noqa: PTH100 - keep symlinks


def cluster_folder(var: Path) -> Path:
    """Return the state folder of the cluster: one in that of ``make run``."""
    return var / "cluster"


def load_environment(var_dir: Path) -> dict[str, str]:
    """Return the environment of the processes that run on ``var_dir`` now; {} when none do."""
    if recorded_pid(supervisor_record(var_dir)) is None:
        return {}
    return read_env_file(var_dir / "run" / "services.env")


def _open_secrets(var: Path) -> dict[str, str]:
    path = var / "secrets.env"
    known = read_env_file(path)
    wanted = {name: known.get(name) or secrets.token_hex(32) for name in _SECRETS}
    if wanted != known:
        write_env_file(path, {**known, **wanted})
    return wanted


def _open_ports(var: Path) -> dict[str, tuple[int, ...]]:
    path = var / "state.json"
    known: dict[str, list[int]] = {}
    with contextlib.suppress(FileNotFoundError, ValueError):
        known = json.loads(path.read_text(encoding="utf-8"))["ports"]
    chosen: dict[str, tuple[int, ...]] = {}
    for name, count in _PORTS.items():
        others = {port for ports in chosen.values() for port in ports}
        keep = tuple(known.get(name, ()))
        ports = choose_ports(count, keep=keep, avoid=others)
        chosen[name] = ports
    write_private(path, json.dumps({"ports": chosen}, indent=2) + "\n")
    return chosen
