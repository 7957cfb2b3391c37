"""Which addresses may be connected to for a URL of somebody else's: none inside our network."""

import socket
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from urllib3.util.connection import create_connection

from core.http.errors import TargetRefused, connect_failed

Resolver = Callable[[str, int], Sequence[str]]
Target = tuple[str, int]

# Well-known NAT64 prefix, RFC 6052: the last 32 bits are an IPv4 address.
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_BITS = 0xFFFFFFFF
# All that is assigned as global unicast (IANA, read 2026-11). Outside are site-local, local NAT64
# and IPv4-compatible addresses, which `ipaddress` takes for global ones.
_GLOBAL_IPV6 = IPv6Network("2000::/3")
# Special although `ipaddress` takes them for global: IETF protocols (a cloud's metadata is there),
# the relays of 6to4, documentation.
_SPECIAL = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("3fff::/20"),
)
# Azure's wire server: its machines get credentials there, although the address looks public.
_AZURE_WIRE_SERVER = IPv4Address("168.63.129.16")


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
    """Tell whether this address may be connected to.

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
    if parsed == _AZURE_WIRE_SERVER:
        return False
    return _is_global(parsed) or allow_private


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_IPV6:
        return False
    return address.is_global and not any(address in network for network in _SPECIAL)


class Guard:
    """Opens connections to checked addresses only, and to the very address it checked.

    Args:
        allow_private: Private and loopback addresses may be connected to.
        resolver: How a host is looked up.
        exempt: Hosts, in lower case, and ports that are not checked.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        resolver: Resolver = resolve,
        exempt: Collection[Target] = (),
    ) -> None:
        self._allow_private = allow_private
        self._resolver = resolver
        self._exempt = frozenset(exempt)

    def permitted(self, host: str, port: int) -> list[str]:
        """Look a host up; return those of its addresses that may be connected to.

        Raises:
            TargetRefused: None may.
            ConnectFailed: The name has no address.
        """
        try:
            addresses = self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise connect_failed(f"{host} has no address", error) from error
        if self.is_exempt(host, port):
            return list(addresses)
        permitted = [
            one for one in addresses if is_permitted(one, allow_private=self._allow_private)
        ]
        if not permitted:
            raise TargetRefused(f"{host} has no address that may be connected to")
        return permitted

    def is_exempt(self, host: str, port: int) -> bool:
        """Return whether this target is not checked."""
        return (host.lower(), port) in self._exempt

    def dial(self, host: str, port: int, timeout_s: float | None) -> socket.socket:
        """Connect to the first permitted address of `host` that answers; there is no second lookup.

        The timeout is for each address tried.

        Raises:
            TargetRefused: None of the addresses is permitted.
            ConnectFailed: The name has no address, or none of the permitted ones answers.
        """
        cause: OSError | None = None
        for address in self.permitted(host, port):
            try:
                return create_connection((address, port), timeout_s)
            except OSError as error:
                cause = error
        raise connect_failed(f"{host} does not accept connections", cause) from cause
