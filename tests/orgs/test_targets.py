"""Which URLs a webhook may have."""

import socket
import time
from ipaddress import ip_address

import pytest

from core.http.client import HttpClient
from core.http.errors import TargetRefused
from orgs.errors import InvalidInputError
from orgs.services.targets import check_url

FORBIDDEN = [
    "https://127.0.0.1/", "https://127.0.0.1:8443/x", "https://localhost/", "https://LOCALHOST./",
    "https://foo.localhost/", "https://printer.local/", "https://metadata.google.internal/",
    "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data", "https://168.63.129.16/", "https://0.0.0.0/",
    "https://0/", "https://224.0.0.1/", "https://255.255.255.255/", "https://240.0.0.1/",
    "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://017700000001/",
    "https://127.1/", "https://0x7f.1/", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/",
    "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
    "https://[::ffff:169.254.169.254]/", "https://[::127.0.0.1]/", "https://[fe80::1]/",
    "https://[fc00::1]/", "https://[fec0::1]/", "https://[ff02::1]/", "https://[fd00:ec2::254]/",
    "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::7f00:1]/", "https://[2002:7f00:1::]/",
    "https://user@1.1.1.1/", "https://user:pass@127.0.0.1/", "https://1.1.1.1\\@127.0.0.1/",
    "http://1.1.1.1/", "ftp://1.1.1.1/", "file:///etc/passwd", "gopher://1.1.1.1/", "//1.1.1.1/",
    "1.1.1.1", "https://", "https:///x", "https://1.1.1.1:0/", "https://1.1.1.1:99999/",
    "https://[::1", "https://1.1.1.1/\r\nHost: x", "https://1.1.1.1/ x", " https://1.1.1.1/", "",
    "https://1.1.1.1/" + "x" * 2048,
]  # fmt: skip


@pytest.mark.parametrize("url", FORBIDDEN)
def test_url_that_is_not_a_public_https_one_is_refused(url):
    with pytest.raises(InvalidInputError) as caught:
        check_url(url)

    assert caught.value.param == "url"


@pytest.mark.parametrize(
    "url",
    [
        "https://1.1.1.1/",
        "https://1.1.1.1:8443/x?y=z#f",
        "https://[2606:4700::1111]/",
        "https://8.8.8.8",
    ],
)
def test_public_url_is_accepted(url):
    check_url(url)


def test_private_upstreams_do_not_permit_private_webhooks(settings):
    settings.ALLOW_PRIVATE_UPSTREAMS = True

    with pytest.raises(InvalidInputError):
        check_url("https://127.0.0.1/")


def test_exempt_target_is_accepted_on_its_port_alone(settings):
    settings.WEBHOOK_ALLOWED_TARGETS = [("127.0.0.1", 9000), ("hooks.local", 80)]

    check_url("http://127.0.0.1:9000/hook")
    check_url("http://HOOKS.local/hook")
    for url in ("http://127.0.0.1:9001/", "http://localhost:9000/", "https://hooks.local/"):
        with pytest.raises(InvalidInputError):
            check_url(url)


def test_name_without_an_address_yet_is_accepted():
    check_url("https://hooks.example.invalid/")


def test_name_with_a_private_address_is_refused(monkeypatch):
    private = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: private)

    with pytest.raises(InvalidInputError):
        check_url("https://hooks.example.com/")


def test_name_that_turns_private_after_its_creation_is_not_connected_to(receiver):
    """DNS rebinding: the address of each connection is the one that was checked."""
    answers = [["1.1.1.1"], ["127.0.0.1"]]
    client = HttpClient(
        allow_private=False, version="1", resolver=lambda host, port: answers.pop(0)
    )
    assert ip_address(answers.pop(0)[0]).is_global

    with pytest.raises(TargetRefused):
        client.post_guarded(
            f"http://hooks.example.com:{receiver.port}/hook",
            deadline=time.monotonic() + 20,
            headers={},
            body=b"{}",
        )
    assert answers == []
    assert receiver.hooks == []
