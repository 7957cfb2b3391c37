"""What cannot even be parsed is still answered in the error envelope."""

import json
import socket
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.xdist_group("stack")


def exchange(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20) as client:
        client.sendall(request)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 413, "request_too_large"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 70000 + b"\r\n\r\n",
            413,
            "request_too_large",
        ),
        (
            b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            400,
            "invalid_value",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
            400,
            "invalid_value",
        ),
        (b"nonsense\r\n\r\n", 400, "invalid_value"),
    ],
)
def test_request_that_cannot_be_parsed_is_refused_in_the_envelope(
    stack, request_bytes, status, code
):
    answered, headers, body = exchange(stack.url, request_bytes)

    error = json.loads(body)["error"]
    assert (answered, error["code"], error["param"]) == (status, code, None)
    assert headers["x-should-retry"] == "false"
    assert headers["x-request-id"].startswith("req_")
