import time

import pytest

from core.http.client import HttpClient
from core.http.errors import (
    ConnectFailed,
    InvalidTarget,
    ReadFailed,
    TargetRefused,
    TooManyRedirects,
)
from core.http.guard import is_permitted
from tests.core.http.upstream import TLS, Upstream, serve

PUBLIC = "images.example.test"


def soon() -> float:
    return time.monotonic() + 20


def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::",
        "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "::7f00:1", "::ffff:0:7f00:1",
        "fec0::1", "3fff::1", "5f00::1", "192.0.0.192", "192.88.99.1", "198.18.0.1", "240.0.0.1",
        "168.63.129.16", "100.100.100.200", "fd00:ec2::254",
        "not an address",
    ],
)  # fmt: skip
def test_address_inside_our_network_is_not_permitted(address: str):
    assert is_permitted(address, allow_private=False) is False


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_global_address_is_permitted(address: str):
    assert is_permitted(address, allow_private=False) is True


@pytest.mark.parametrize(
    ("address", "permitted"),
    [("127.0.0.1", True), ("10.1.1.1", True), ("::1", True), ("169.254.169.254", False),
     ("::ffff:169.254.169.254", False), ("0.0.0.0", False), ("168.63.129.16", False)],
)  # fmt: skip
def test_private_addresses_are_permitted_on_request_but_never_link_local(
    address: str, permitted: bool
):
    assert is_permitted(address, allow_private=True) is permitted


def test_download_of_a_private_address_is_refused_without_a_connection(upstream: Upstream):
    client = HttpClient(allow_private=False, version="1")

    for url in (f"{upstream.url}/a.png", f"http://localhost:{upstream.port}/a.png"):
        with pytest.raises(TargetRefused):
            client.open_download(url, deadline=soon())

    assert upstream.received == []


def test_download_of_a_name_with_a_private_address_is_refused(upstream: Upstream):
    client = HttpClient(allow_private=False, version="1", resolver=to_loopback)

    with pytest.raises(TargetRefused):
        client.open_download(f"http://{PUBLIC}:{upstream.port}/a.png", deadline=soon())

    assert upstream.received == []


def test_download_of_an_exempt_target_is_made_wherever_it_is(upstream: Upstream):
    client = HttpClient(allow_private=False, version="1", exempt={("127.0.0.1", upstream.port)})
    upstream.answers("GET", "/a.png", b"image")

    with client.open_download(f"{upstream.url}/a.png", deadline=soon()) as answer:
        assert answer.read_body(limit=10) == b"image"
    with pytest.raises(TargetRefused):
        client.open_download(f"http://localhost:{upstream.port}/a.png", deadline=soon())


def test_guard_looks_a_name_up_once_per_connection(upstream: Upstream):
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    client = HttpClient(allow_private=True, version="1", resolver=rebinding)
    upstream.answers("GET", "/a.png", b"image")

    with client.open_download(f"http://{PUBLIC}:{upstream.port}/a.png", deadline=soon()) as answer:
        assert answer.read_body(limit=10) == b"image"

    assert asked == [PUBLIC]
    assert upstream.received[0].headers["host"] == f"{PUBLIC}:{upstream.port}"


def test_redirect_into_our_network_is_refused(upstream: Upstream):
    # The second host has the address where clouds serve machine credentials.
    addresses = {PUBLIC: ["127.0.0.1"], "inside.example.test": ["169.254.169.254"]}
    client = HttpClient(
        allow_private=True, version="1", resolver=lambda host, port: addresses[host]
    )
    upstream.answers(
        "GET", "/a.png", status=302, headers={"Location": "http://inside.example.test/latest"}
    )

    with pytest.raises(TargetRefused):
        client.open_download(f"http://{PUBLIC}:{upstream.port}/a.png", deadline=soon())


def test_redirects_are_followed_three_times_and_no_further(upstream: Upstream):
    client = HttpClient(allow_private=True, version="1")
    for step in range(4):
        upstream.answers("GET", f"/{step}", status=302, headers={"Location": f"/{step + 1}"})
    upstream.answers("GET", "/4", b"image")

    with client.open_download(f"{upstream.url}/1", deadline=soon()) as answer:
        assert answer.read_body(limit=10) == b"image"
    with pytest.raises(TooManyRedirects):
        client.open_download(f"{upstream.url}/0", deadline=soon())


def test_redirect_to_another_scheme_is_refused(upstream: Upstream):
    client = HttpClient(allow_private=True, version="1")
    upstream.answers("GET", "/a", status=302, headers={"Location": "file:///etc/passwd"})

    with pytest.raises(InvalidTarget):
        client.open_download(f"{upstream.url}/a", deadline=soon())


def test_redirect_with_an_endless_body_is_not_read(upstream: Upstream):
    def endless(exchange):
        exchange.raw(
            b"HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 99999999\r\n\r\n" + bytes(1000)
        )
        exchange.drop()

    client = HttpClient(allow_private=True, version="1")
    upstream.on("GET", "/a", endless)
    upstream.answers("GET", "/b", b"image")

    with client.open_download(f"{upstream.url}/a", deadline=soon()) as answer:
        assert answer.read_body(limit=10) == b"image"


def test_failed_download_counts_as_processed(upstream: Upstream):
    client = HttpClient(allow_private=True, version="1")
    upstream.on("GET", "/cut", lambda exchange: exchange.drop())

    with pytest.raises(ReadFailed) as cut:
        client.open_download(f"{upstream.url}/cut", deadline=soon())
    with pytest.raises(ConnectFailed) as closed:
        client.open_download("http://127.0.0.1:1/", deadline=soon())

    assert (cut.value.processed, closed.value.processed) == (True, True)


def test_guarded_tls_verifies_the_name_and_not_the_address():
    client = HttpClient(
        allow_private=True,
        version="1",
        resolver=to_loopback,
        ca_file=str(TLS / "server.crt"),
    )
    with serve(tls=True) as upstream:
        upstream.answers("GET", "/a.png", b"image")

        with client.open_download(
            f"https://{PUBLIC}:{upstream.port}/a.png", deadline=soon()
        ) as answer:
            body = answer.read_body(limit=10)
        with pytest.raises(ConnectFailed):
            client.open_download(f"https://other.example.test:{upstream.port}/", deadline=soon())

    assert body == b"image"


def test_tls_with_an_unknown_authority_is_refused():
    client = HttpClient(allow_private=True, version="1", resolver=to_loopback)
    with serve(tls=True) as upstream:
        with pytest.raises(ConnectFailed):
            client.open_download(f"https://{PUBLIC}:{upstream.port}/a.png", deadline=soon())
        with pytest.raises(ConnectFailed):
            client.open("GET", f"{upstream.url}/", deadline=soon())

        assert upstream.received == []


def test_guarded_post_reaches_an_exempt_target_alone(upstream: Upstream):
    client = HttpClient(
        allow_private=False,
        version="1",
        resolver=to_loopback,
        exempt=[(PUBLIC, upstream.port), ("localhost", upstream.port + 1)],
    )

    with client.post_guarded(
        f"http://{PUBLIC}:{upstream.port}/hook", deadline=soon(), headers={}, body=b"{}"
    ):
        pass
    with pytest.raises(TargetRefused):
        client.post_guarded(
            f"http://localhost:{upstream.port}/hook", deadline=soon(), headers={}, body=b"{}"
        )

    assert [one.path for one in upstream.received] == ["/hook"]
