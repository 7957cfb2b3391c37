"""Debian's RabbitMQ as a child process, with ports, folders and cookie of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import amqp

from tests.faults.stack import wait_for

_SCRIPTS = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"
MISSING = "RabbitMQ is not installed; on Debian: apt-get install rabbitmq-server"


def server() -> Path | None:
    """Return Debian's start script that does not change to another account."""
    found = sorted(Path("/").glob(_SCRIPTS[1:]))
    return found[-1] if found and shutil.which("epmd") else None


class Rabbit:
    """A broker that may be killed, frozen and started again."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lienzo-rabbit-"))
        self._port, self._dist_port, self._epmd_port = (_free_port() for _ in range(3))
        self._server: subprocess.Popen[bytes] | None = None
        # The server would start one that outlives it.
        self._epmd = subprocess.Popen(
            ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """What `CELERY_BROKER_URL` is to be."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        script = server()
        assert script is not None, MISSING
        folder = str(self._folder)
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"lienzo{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        with (self._folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(script)],
                env=environ,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._serves, timeout_s=120, message="RabbitMQ serves")

    def _serves(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self._folder / "server.log").read_text()[-3000:]
        with contextlib.suppress(OSError, amqp.AMQPError):
            self.connect().close()
            return True
        return False

    def connect(self) -> amqp.Connection:
        """Open a connection."""
        connection = amqp.Connection(urlsplit(self.url).netloc.rpartition("@")[2])
        connection.connect()
        return connection

    def kill(self) -> None:
        """Kill the server with all it started."""
        self._signal(signal.SIGKILL)
        assert self._server is not None
        self._server.wait(10)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the server with SIGSTOP while the block runs."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._server is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._server.pid, number)

    def close(self) -> None:
        """End everything and remove its data."""
        self.kill()
        self._epmd.kill()
        self._epmd.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
