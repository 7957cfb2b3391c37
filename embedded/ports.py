"""Ports of 127.0.0.1 for the engines."""

import errno
import random
import socket
from collections.abc import Collection

from embedded.errors import EmbeddedError

LOOPBACK = "127.0.0.1"
# Below the range from which kernels draw the local ports of outgoing connections (Linux 32768+,
# macOS 49152+): otherwise a client's connection could sit on an engine's port while it restarts.
_FIRST_PORT = 15_000
_LAST_PORT = 32_000
_TRIES = 500
# As many as common kernels allow: they wait here while the web process restarts.
_BACKLOG = 4096


def is_free(port: int) -> bool:
    """Tell whether a server could listen on ``port`` of 127.0.0.1 right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_ports(
    count: int, *, keep: tuple[int, ...] = (), avoid: Collection[int] = ()
) -> tuple[int, ...]:
    """Return ``count`` different free ports: ``keep`` when all of them are free, else new ones."""
    if len({*keep} - {*avoid}) == count and all(is_free(port) for port in keep):
        return keep
    chosen: list[int] = []
    source = random.SystemRandom()
    for _ in range(_TRIES):
        port = source.randint(_FIRST_PORT, _LAST_PORT)
        if port not in chosen and port not in avoid and is_free(port):
            chosen.append(port)
        if len(chosen) == count:
            return tuple(chosen)
    raise EmbeddedError(f"Found no {count} free ports between {_FIRST_PORT} and {_LAST_PORT}.")


def accepts_connections(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether something listens there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket that the web processes inherit.

    Raises:
        EmbeddedError: The port is taken, not allowed, or the host is not an address of this
            machine; the message says what to set.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise EmbeddedError(f"HOST={host} is not an address: {error.strerror}.") from error
    server = socket.socket(family, kind, protocol)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(address)
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        raise EmbeddedError(_why_not(host, port, error)) from error
    return server


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is already taken. Choose another one: PORT={port + 1} make run"
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights. Choose one above 1023: PORT=8000 make run"
    return f"Cannot listen on {host}:{port}: {error.strerror}. Set HOST and PORT."
