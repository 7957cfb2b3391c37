"""``make run-cluster``: one set of services and two hosts, which may be killed one at a time."""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from embedded.children import Folders, end_leftovers
from embedded.cluster.network import HOSTS, Namespaces, Network, choose_network
from embedded.environment import Address, refuse_own_address
from embedded.errors import EmbeddedError, StopRequestedError
from embedded.host import Host
from embedded.limits import raise_file_limit
from embedded.locks import sole_user, stop_running
from embedded.machine import Machine, Place
from embedded.orders import Handler
from embedded.processes import STAGE_WORK
from embedded.session import remove_state
from embedded.signals import StopSignals
from embedded.supervisor import say


def run_cluster(var: Path, environ: Mapping[str, str], *, plain: bool) -> int:
    """Start services and hosts, supervise them until a stop signal, stop and remove everything.

    Args:
        var: The state folder.
        environ: The environment of the user.
        plain: Whether hosts are addresses of loopback where namespaces were possible, too.

    Raises:
        EmbeddedError: It cannot start; everything started so far has been stopped.
    """
    port = Address.from_environ(environ).port
    raise_file_limit()
    with sole_user(var), StopSignals() as signals:
        if ended := end_leftovers(Folders.under(var)):
            say(f"Ended what an earlier run had left behind: {', '.join(ended)}")
        network, how = choose_network(var, plain=plain)
        say(how)
        with contextlib.ExitStack() as stack:
            stack.callback(network.remove)
            hosts = _open_hosts(network, port, environ, stack)
            place = Place(
                var, address=network.services, clients=network.clients, images_from_s3=True
            )
            machine = Machine(place, environ, hosts, signals)
            try:
                machine.start()
                machine.supervise(_Cluster(machine, network, hosts).handlers())
            except StopRequestedError:
                pass
            finally:
                for host in hosts:
                    host.web_socket.close()
                say("Stopping ...")
                machine.supervisor.stop()
        say("Stopped.")
    return 0


def stop_cluster(var: Path) -> bool:
    """Stop the cluster, or end what a killed supervisor left; False when there was nothing."""
    if stop_running(var):
        return True
    with sole_user(var):
        ended = end_leftovers(Folders.under(var))
        if os.geteuid() == 0:
            Namespaces(var).remove()
    return bool(ended)


def remove_cluster(var: Path) -> None:
    """Remove the cluster with all its data.

    Raises:
        EmbeddedError: It runs.
    """
    with sole_user(var):
        end_leftovers(Folders.under(var))
    remove_state(var)


def _open_hosts(
    network: Network, port: int, environ: Mapping[str, str], stack: contextlib.ExitStack
) -> list[Host]:
    sockets: dict[str, socket.socket] = {}
    for name in HOSTS:
        sockets[name] = stack.enter_context(network.listen(name, port))
    public = (environ.get("PUBLIC_BASE_URL") or "").rstrip("/")
    hosts: list[Host] = []
    for name, opened in sockets.items():
        own_host, own_port = opened.getsockname()[:2]
        public = public or f"http://{own_host}:{own_port}"
        address = Address(str(own_host), int(own_port), public)
        refuse_own_address(environ, address)
        # Of all hosts one sends what is due by the clock.
        has_beat = name == HOSTS[0]
        hosts.append(Host(name, address, opened, network.enter(name), has_beat=has_beat))
    return hosts


class _Cluster:
    """What a person may order of the running cluster."""

    def __init__(self, machine: Machine, network: Network, hosts: Sequence[Host]) -> None:
        self._machine = machine
        self._supervisor = machine.supervisor
        self._network = network
        self._hosts = {host.name: host for host in hosts}
        self._killed: set[str] = set()

    def handlers(self) -> Mapping[str, Handler]:
        """Return each order with what carries it out."""
        return {
            "restart": self._restart,
            "kill": self._each(self._kill),
            "start": self._each(self._start),
            "freeze": self._each(self._freeze),
            "thaw": self._each(self._thaw),
            "cut": self._each(self._cut),
            "join": self._each(self._join),
        }

    def _each(self, carry_out: Callable[[str], str]) -> Handler:
        def handle(names: list[str]) -> Iterator[str]:
            for name in names:
                if name not in self._hosts:
                    raise EmbeddedError(f"There is no host {name}, only {', '.join(self._hosts)}.")
                yield carry_out(name)

        return handle

    def _restart(self, names: list[str]) -> Iterator[str]:
        """Restart hosts or single processes, host by host."""
        wanted: list[str] = []
        for name in names or [host for host in self._hosts if host not in self._killed]:
            if name.partition("-")[0] in self._killed:
                raise EmbeddedError(f"{name} cannot be restarted: its host was killed. Start it.")
            wanted += self._children(name) if name in self._hosts else [name]
        return self._machine.restart(wanted)

    def _kill(self, name: str) -> str:
        if name in self._killed:
            # A second shutdown of its socket would fail, and cut what it accepts when it is back.
            return f"Host {name} is dead already."
        # The cable first: nobody is told that the host has gone, as when its power fails.
        if isinstance(self._network, Namespaces):
            self._network.plug(name, is_in=False)
        self._killed.add(name)
        self._supervisor.hold(self._children(name))
        # Of its own the kernel would go on taking connections for the supervisor's socket.
        self._hosts[name].web_socket.shutdown(socket.SHUT_RDWR)
        return f"Host {name} was killed."

    def _start(self, name: str) -> str:
        if name not in self._killed:
            return f"Host {name} was not killed."
        if isinstance(self._network, Namespaces):
            self._network.plug(name, is_in=True)
        self._hosts[name].web_socket.listen(4096)
        self._killed.discard(name)
        self._supervisor.release(self._children(name))
        return f"Host {name} is started."

    def _freeze(self, name: str) -> str:
        self._supervisor.signal(self._children(name), signal.SIGSTOP)
        return f"Host {name} was frozen."

    def _thaw(self, name: str) -> str:
        self._supervisor.signal(self._children(name), signal.SIGCONT)
        return f"Host {name} goes on."

    def _cut(self, name: str) -> str:
        self._network.plug(name, is_in=False)
        return f"Host {name} was cut off."

    def _join(self, name: str) -> str:
        self._network.plug(name, is_in=True)
        return f"Host {name} is on the network again."

    def _children(self, host: str) -> list[str]:
        names = self._supervisor.names(STAGE_WORK)
        return [name for name in names if name.startswith(f"{host}-")]
