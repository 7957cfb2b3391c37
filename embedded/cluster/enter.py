"""Run a command on a host of the cluster: ``python -m embedded.cluster.enter HOST -- CMD ...``.

The process becomes the command, so that its id and its open files stay. Names of network
namespaces are those of ``ip netns``.
"""

import ctypes
import os
import socket
import sys
from pathlib import Path

NAMESPACES = Path("/run/netns")
_NEW_NETWORK = 0x40000000
_NEW_HOST_NAME = 0x04000000


def enter_network(name: str) -> None:
    """Move this thread into a network namespace.

    Raises:
        OSError: There is no such namespace, or it is not allowed.
    """
    with (NAMESPACES / name).open("rb") as namespace:
        _call("setns", namespace.fileno(), _NEW_NETWORK)


def take_host_name(name: str) -> None:
    """Give this process a host name of its own: the product tells neighbors by it.

    Raises:
        OSError: It is not allowed.
    """
    _call("unshare", _NEW_HOST_NAME)
    socket.sethostname(name)


def _call(function: str, *arguments: int) -> None:
    # Python has both from 3.12 on.
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def main(arguments: list[str]) -> None:
    """Enter the host and become the command."""
    name, _, *command = arguments
    enter_network(name)
    take_host_name(name)
    os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command


if __name__ == "__main__":
    main(sys.argv[1:])
