"""Which addresses a download may connect to: no upstream's URL may reach into our network."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from urllib3.util.connection import create_connection

from core.http.errors import ConnectFailed, TargetRefused

Resolver = Callable[[str, int], Sequence[str]]

# Well-known NAT64 prefix, RFC 6052: the last 32 bits are an IPv4 address.
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_BITS = 0xFFFFFFFF


def resolve(host: str, port: int) -> list[str]:
    """Return the host's addresses in the system's order; a numeric host is its own address.

    Raises:
        OSError: The name has no address.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _carried_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if address in _NAT64:
        return IPv4Address(int(address) & _IPV4_BITS)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def is_permitted(address: str, *, allow_private: bool) -> bool:
    """Tell whether a download may connect to this address.

    Global unicast addresses always; private and loopback ones with `allow_private`; never
    multicast, unspecified or link-local ones (where clouds serve machine credentials).
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        carried = _carried_ipv4(parsed)
        if carried is not None:
            return is_permitted(str(carried), allow_private=allow_private)
    if parsed.is_multicast or parsed.is_unspecified or parsed.is_link_local:
        return False
    return parsed.is_global or allow_private


class Guard:
    """Opens connections to checked addresses only, and to the very address it checked."""

    def __init__(self, *, allow_private: bool, resolver: Resolver = resolve) -> None:
        self._allow_private = allow_private
        self._resolver = resolver

    def dial(self, host: str, port: int, timeout_s: float | None) -> socket.socket:
        """Connect to the first permitted address of `host` that answers; there is no second lookup.

        The timeout is for each address tried.

        Raises:
            TargetRefused: None of the addresses is permitted.
            ConnectFailed: The name has no address, or none of the permitted ones answers.
        """
        try:
            addresses = self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise ConnectFailed(f"{host} has no address") from error
        permitted = [
            one for one in addresses if is_permitted(one, allow_private=self._allow_private)
        ]
        if not permitted:
            raise TargetRefused(f"{host} has no address that may be connected to")
        cause: OSError | None = None
        for address in permitted:
            try:
                return create_connection((address, port), timeout_s)
            except OSError as error:
                cause = error
        raise ConnectFailed(f"{host} does not accept connections") from cause
