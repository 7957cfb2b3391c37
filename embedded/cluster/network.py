"""What connects the hosts of the cluster: network namespaces, or addresses of loopback."""

import hashlib
import ipaddress
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from embedded.cluster.enter import enter_network
from embedded.errors import EmbeddedError
from embedded.ports import LOOPBACK, listen

HOSTS = ("a", "b")
# Set apart for tests of networks (RFC 2544), so that nobody's own network has it.
_RANGE = ipaddress.ip_network("198.18.0.0/15")
_PREFIX_LENGTH = 28


class Network(Protocol):
    """How the hosts are reached, and reach the services."""

    @property
    def services(self) -> str:
        """The address on which services listen."""

    @property
    def clients(self) -> str:
        """The network of those who use the services."""

    def create(self) -> None:
        """Make it, in place of what an earlier run left."""

    def remove(self) -> None:
        """Take away whatever there is of it."""

    def listen(self, host: str, port: int) -> socket.socket:
        """Open a host's listening socket."""

    def enter(self, host: str) -> tuple[str, ...]:
        """Return what stands before a command to run it on a host."""

    def plug(self, host: str, *, is_in: bool) -> None:
        """Plug a host's cable in, or pull it out."""


@dataclass(frozen=True, slots=True)
class Loopback:
    """No network at all: every host is an address of loopback, or a port where there is one."""

    services: str = LOOPBACK
    clients: str = f"{LOOPBACK}/32"

    def create(self) -> None:
        """Do nothing."""

    def remove(self) -> None:
        """Do nothing."""

    def listen(self, host: str, port: int) -> socket.socket:
        """Open a host's listening socket.

        Raises:
            EmbeddedError: The port is taken.
        """
        number = HOSTS.index(host)
        if platform.system() == "Linux":
            return listen(f"127.0.0.{2 + number}", port)
        return listen(LOOPBACK, port + number)

    def enter(self, host: str) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def plug(self, host: str, *, is_in: bool) -> None:
        """Refuse.

        Raises:
            EmbeddedError: Always.
        """
        raise EmbeddedError(f"Host {host} has no cable: network namespaces are not in use.")


class Namespaces:
    """A network namespace for each host, joined by a bridge on which services listen.

    Names and addresses follow from the state folder, so that the next run finds what a killed one
    left.
    """

    def __init__(self, var: Path) -> None:
        digest = hashlib.sha256(str(var).encode()).digest()
        self._mark = digest.hex()[:6]
        count = 1 << (_PREFIX_LENGTH - _RANGE.prefixlen)
        first = _RANGE.network_address + (int.from_bytes(digest[8:12]) % count << 4)
        self._network = ipaddress.ip_network((first, _PREFIX_LENGTH))

    @property
    def services(self) -> str:
        """The bridge's address."""
        return str(self._network[1])

    @property
    def clients(self) -> str:
        """The network of bridge and hosts."""
        return str(self._network)

    def create(self) -> None:
        """Make bridge, namespaces and cables.

        Raises:
            EmbeddedError: It is not allowed here, or `ip` is missing.
        """
        self.remove()
        bridge = self._bridge
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{self.services}/{_PREFIX_LENGTH}", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for host in HOSTS:
            name, cable = self._name(host), self._cable(host)
            _ip("netns", "add", name)
            peer = ("peer", "name", "eth0", "netns", name)
            _ip("link", "add", cable, "type", "veth", *peer)
            _ip("link", "set", cable, "master", bridge, "up")
            address = f"{self._address(host)}/{_PREFIX_LENGTH}"
            _ip("-n", name, "addr", "add", address, "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Take away whatever there is."""
        if shutil.which("ip") is None:
            return
        for host in HOSTS:
            _ip("link", "del", self._cable(host), check=False)
            _ip("netns", "del", self._name(host), check=False)
        _ip("link", "del", self._bridge, check=False)

    def listen(self, host: str, port: int) -> socket.socket:
        """Open a host's listening socket: a socket stays where it was made.

        Raises:
            EmbeddedError: The port is taken.
        """
        opened: list[socket.socket] = []
        failed: list[EmbeddedError] = []

        def open_there() -> None:
            enter_network(self._name(host))
            try:
                opened.append(listen(self._address(host), port))
            except EmbeddedError as error:
                failed.append(error)

        # The namespace is that of a thread, which ends with it.
        thread = threading.Thread(target=open_there)
        thread.start()
        thread.join()
        if not opened:
            raise failed[0] if failed else EmbeddedError(f"Host {host} cannot be entered.")
        return opened[0]

    def enter(self, host: str) -> tuple[str, ...]:
        """Return how a command is run in a host's namespace, under the host's name."""
        return (sys.executable, "-m", "embedded.cluster.enter", self._name(host), "--")

    def plug(self, host: str, *, is_in: bool) -> None:
        """Set a cable up or down."""
        _ip("link", "set", self._cable(host), "up" if is_in else "down")

    def _address(self, host: str) -> str:
        return str(self._network[2 + HOSTS.index(host)])

    def _name(self, host: str) -> str:
        return f"lienzo-{self._mark}-{host}"

    def _cable(self, host: str) -> str:
        return f"lz{self._mark}{host}"

    @property
    def _bridge(self) -> str:
        return f"lz{self._mark}"


def choose_network(var: Path, *, plain: bool = False) -> tuple[Network, str]:
    """Return the best network that this machine allows, created, and what to say about it."""
    if plain:
        return Loopback(), "Hosts are addresses of loopback, as asked for."
    if platform.system() != "Linux" or os.geteuid() != 0:
        return (
            Loopback(),
            "Hosts are addresses of loopback: network namespaces need Linux and root.",
        )
    network = Namespaces(var)
    try:
        network.create()
    except EmbeddedError as error:
        network.remove()
        return Loopback(), f"Hosts are addresses of loopback: {error}"
    return network, f"Hosts are network namespaces in {network.clients}."


def _ip(*arguments: str, check: bool = True) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["ip", *arguments],  # noqa: S607 - wherever the system has it
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise EmbeddedError("the program `ip` (package iproute2) is missing.") from error
    if check and done.returncode != 0:
        raise EmbeddedError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
