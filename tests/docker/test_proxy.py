"""The proxy's configuration in a real nginx, in front of servers of the tests' own."""

import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.docker.files import DOCKER, compose
from tests.stack import wait_until

MEMORY = compose()["services"]["proxy"]["tmpfs"][0].partition(":")[0]
HOST = "images.example.com"
LONGEST_UPLOAD = 200_000_000
PATIENCE_S = 20


class Web(BaseHTTPRequestHandler):
    """Says what arrives; `/stream` and `/upload` go on when the test has seen what came so far."""

    protocol_version = "HTTP/1.1"
    server: "Upstream"

    def do_GET(self) -> None:
        if self.path == "/stream":
            self._stream()
            return
        self._answer(200, "\n".join(f"{name}: {value}" for name, value in self.headers.items()))

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        if length > LONGEST_UPLOAD:
            self.close_connection = True
            self._answer(413, "in web's own words")
            return
        body = self.rfile.read(4)
        self.server.began.set()
        self._answer(200, (body + self.rfile.read(length - 4)).decode())

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Accel-Buffering", "no")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            assert self.server.seen.wait(PATIENCE_S)
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


class Upstream(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Web)
        self.began, self.seen = threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


@dataclass
class Proxy:
    plain: int
    tls: int
    web: Upstream
    storage: Upstream
    process: subprocess.Popen[str]
    secrets: Path
    context: ssl.SSLContext = field(repr=False)

    def connect(self) -> http.client.HTTPSConnection:
        """Open a connection as a client that knows the host by its name."""
        return http.client.HTTPSConnection(
            "127.0.0.1", self.tls, context=self.context, timeout=PATIENCE_S
        )

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        connection = self.connect()
        connection.request(method, path, headers={"Host": HOST, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    program = _program("nginx")
    folder = tmp_path_factory.mktemp("proxy")
    secrets = make_secrets(folder)
    web, storage = Upstream(), Upstream()
    plain, tls = free_port(), free_port()
    text = (DOCKER / "nginx.conf").read_text(encoding="utf-8")
    for written, here in (
        (f"{MEMORY}/", f"{folder}/"),
        ("/run/secrets/", f"{secrets}/"),
        ("/dev/stdout", f"{folder}/access.log"),
        ("listen 8080", f"listen 127.0.0.1:{plain}"),
        ("listen 8443", f"listen 127.0.0.1:{tls}"),
        ("http://web:8000", f"http://127.0.0.1:{web.server_port}"),
        ("http://seaweedfs:8333", f"http://127.0.0.1:{storage.server_port}"),
    ):
        assert written in text
        text = text.replace(written, here)
    configuration = folder / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    process = subprocess.Popen(
        [program, "-c", str(configuration), "-g", "daemon off;"],
        stderr=subprocess.PIPE,
        text=True,
    )
    context = ssl.create_default_context(cafile=str(secrets / "tls_certificate"))
    running = Proxy(plain, tls, web, storage, process, secrets, context)
    try:
        wait_until(lambda: process.poll() is not None or _listens(tls), "nginx")
        assert process.poll() is None, process.communicate()[1]
        yield running
    finally:
        process.terminate()
        process.wait(10)
        web.shutdown()
        storage.shutdown()


def make_secrets(folder: Path) -> Path:
    """Make secrets as an operator does, for `127.0.0.1` too, and return their folder."""
    script = shutil.copy(DOCKER / "secrets.sh", folder)
    _program("openssl")
    subprocess.run(["sh", script, HOST], check=True)
    return folder / "secrets"


def test_callers_address_and_host_arrive_and_nothing_that_they_invent(proxy: Proxy):
    status, seen = proxy.ask(
        "GET", "/", **{"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example"}
    )

    assert status == 200
    # The last address is the one that the proxy saw: what stands before counts for nobody.
    assert "X-Forwarded-For: 6.6.6.6, 127.0.0.1\n" in seen
    assert f"Host: {HOST}\n" in seen
    assert "evil.example" not in seen
    assert proxy.ask("GET", "/readyz")[0] == 200


def test_first_event_of_a_stream_arrives_before_the_second_is_made(proxy: Proxy):
    proxy.web.seen.clear()
    connection = proxy.connect()
    connection.request("GET", "/stream", headers={"Host": HOST})
    answer = connection.getresponse()

    assert answer.readline() == b"data: 1\n"
    proxy.web.seen.set()
    assert answer.read() == b"\ndata: 2\n\n"


def test_upload_goes_on_as_it_arrives(proxy: Proxy):
    proxy.web.began.clear()
    connection = proxy.connect()
    connection.putrequest("POST", "/v1/images/edits", skip_host=True)
    connection.putheader("Host", HOST)
    connection.putheader("Content-Length", "8")
    connection.endheaders(b"half")

    assert proxy.web.began.wait(PATIENCE_S)
    connection.send(b"rest")
    assert connection.getresponse().read() == b"halfrest"


def test_longest_upload_is_for_web_to_judge_and_more_is_refused_at_once(proxy: Proxy):
    status, text = proxy.ask("POST", "/v1/images/edits", **{"Content-Length": "200000001"})
    assert (status, text) == (413, "in web's own words")

    status, text = proxy.ask("POST", "/v1/images/edits", **{"Content-Length": "300000000"})
    assert status == 413
    assert "nginx" in text


def test_signed_addresses_lead_to_storage_for_reading_alone(proxy: Proxy):
    path = "/generated-images-private/a/b/0.png?X-Amz-Signature=1"

    status, seen = proxy.ask("GET", path)
    assert status == 200
    assert f"Host: {HOST}\n" in seen
    for method in ("PUT", "DELETE", "POST"):
        assert proxy.ask(method, path)[0] == 403


def test_plain_http_leads_to_https_but_for_the_api(proxy: Proxy):
    answers = []
    for path in ("/console?a=1", "/v1/models"):
        connection = http.client.HTTPConnection("127.0.0.1", proxy.plain, timeout=PATIENCE_S)
        connection.request("GET", path, headers={"Host": HOST})
        answer = connection.getresponse()
        answers.append((answer.status, answer.getheader("Location")))

    assert answers == [(308, f"https://{HOST}/console?a=1"), (403, None)]


def test_renewed_certificate_is_taken_in_while_a_stream_goes_on(proxy: Proxy, tmp_path: Path):
    proxy.web.seen.clear()
    connection = proxy.connect()
    connection.request("GET", "/stream", headers={"Host": HOST})
    answer = connection.getresponse()
    assert answer.readline() == b"data: 1\n"
    renewed = make_secrets(tmp_path)
    for name in ("tls_certificate", "tls_key"):
        (proxy.secrets / name).write_bytes((renewed / name).read_bytes())

    proxy.process.send_signal(signal.SIGHUP)
    expected = ssl.PEM_cert_to_DER_cert((renewed / "tls_certificate").read_text(encoding="ascii"))
    # Every connection succeeds meanwhile: the listeners stay.
    wait_until(lambda: served_certificate(proxy.tls) == expected, "the renewed certificate")
    proxy.context.load_verify_locations(str(renewed / "tls_certificate"))
    proxy.web.seen.set()
    assert answer.read() == b"\ndata: 2\n\n"
    assert proxy.ask("GET", "/")[0] == 200


def test_secrets_are_made_once_and_readable_in_their_folder_alone(tmp_path: Path):
    secrets = make_secrets(tmp_path)
    before = {one.name: one.read_bytes() for one in secrets.iterdir() if one.is_file()}
    make_secrets(tmp_path)

    assert {one.name: one.read_bytes() for one in secrets.iterdir() if one.is_file()} == before
    assert set(before) == set(compose()["secrets"])
    assert secrets.stat().st_mode & 0o777 == 0o700
    # The users of containers are not those of the host.
    assert all((secrets / name).stat().st_mode & 0o444 == 0o444 for name in before)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        message = f"{name} is missing; on Debian: apt-get install nginx-light openssl"
        # In CI it must be there: what is skipped for ever checks nothing.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return found


def served_certificate(port: int) -> bytes:
    """Return the certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain,
        context.wrap_socket(plain) as connection,
    ):
        found = connection.getpeercert(binary_form=True)
    assert found is not None
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
