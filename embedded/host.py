"""A host as the supervisor sees it: where its web listens, and how its processes are entered."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace

from embedded.children import Spec
from embedded.environment import Address
from embedded.processes import STAGE_WORK, process_table
from embedded.state import State

_HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class Host:
    """One machine, or what stands for one.

    Attributes:
        name: Empty for the only one; else it stands before the names of its processes.
        address: Where its web process is reached.
        web_socket: The listening socket, which the supervisor holds.
        enter: What stands before a command to run it there.
        has_beat: Whether it sends what is due by the clock: one host of all does.
    """

    name: str
    address: Address
    web_socket: socket.socket
    enter: tuple[str, ...] = ()
    has_beat: bool = True

    def table(
        self, environment: Mapping[str, str], metrics_ports: Mapping[str, int]
    ) -> tuple[Spec, ...]:
        """Return the processes of the product on this host."""
        here = {**environment, "HOST": self.address.host, "PORT": str(self.address.port)}
        if self.name:
            here["METRICS_HOST"] = self.address.host
        table = process_table(
            here,
            web_socket=self.web_socket.fileno(),
            sandbox_port=None,
            metrics_ports=metrics_ports,
        )
        return tuple(
            replace(spec, name=self.child(spec.name), argv=(*self.enter, *spec.argv))
            for spec, _ in table
            if self.has_beat or spec.name != "beat"
        )

    def child(self, name: str) -> str:
        """Return the name under which the supervisor knows one of this host's processes."""
        return f"{self.name}-{name}" if self.name else name

    def answers(self) -> bool:
        """Tell whether its web process is ready to serve."""
        host, port = self.address.host, self.address.port
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - mapped away
        connection = http.client.HTTPConnection(host, port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == _HTTP_OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def services_table(
    state: State, environment: Mapping[str, str], web_socket: socket.socket
) -> tuple[tuple[Spec, int], ...]:
    """Return the processes beside the product's that all hosts share: the sandbox."""
    table = process_table(
        environment,
        web_socket=web_socket.fileno(),
        sandbox_port=state.ports["sandbox"][0],
        sandbox_host=state.address,
    )
    return tuple((spec, stage) for spec, stage in table if stage != STAGE_WORK)
