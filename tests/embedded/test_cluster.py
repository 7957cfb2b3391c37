"""Addresses and names of the cluster's network; the rest is in `tests/faults/test_cluster.py`."""

import ipaddress
import os
import socket
from pathlib import Path

import pytest

from embedded.cluster.network import HOSTS, Loopback, Namespaces, choose_network
from embedded.errors import EmbeddedError
from embedded.ports import choose_ports


def test_names_and_addresses_follow_from_the_state_folder():
    one, same, other = (Namespaces(Path(name)) for name in ("/srv/one", "/srv/one", "/srv/other"))

    assert (one.clients, one.services) == (same.clients, same.services)
    assert one.clients != other.clients
    network = ipaddress.IPv4Network(one.clients)
    assert network.subnet_of(ipaddress.IPv4Network("198.18.0.0/15"))
    assert ipaddress.ip_address(one.services) in network


def test_hosts_on_loopback_have_addresses_of_their_own(tmp_path):
    network, said = choose_network(tmp_path, plain=True)
    [port] = choose_ports(1)

    with network.listen("a", port) as a, network.listen("b", port) as b:
        assert len({a.getsockname(), b.getsockname()}) == len(HOSTS)

    assert isinstance(network, Loopback)
    assert "loopback" in said
    with pytest.raises(EmbeddedError, match="has no cable"):
        network.plug("b", is_in=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
def test_hosts_in_namespaces_are_reached_until_their_cable_is_pulled(tmp_path):
    network, said = choose_network(tmp_path)
    if isinstance(network, Loopback):
        pytest.skip(said)
    try:
        with network.listen("b", 8000) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
            network.plug("b", is_in=False)
            with pytest.raises(OSError, match=r"timed out|No route"):
                socket.create_connection(server.getsockname(), timeout=0.5)
            network.plug("b", is_in=True)
            socket.create_connection(server.getsockname(), timeout=5).close()
    finally:
        network.remove()
