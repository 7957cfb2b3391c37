"""The image and the compose file, built and run by a real Docker Engine."""

import io
import itertools
import random
import shutil
import ssl
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import httpx
import pytest
from openai import DefaultHttpxClient, OpenAI, OpenAIError
from PIL import Image

from tests.docker.engine import (
    BASE,
    PROJECT,
    STAND_INS,
    Project,
    build,
    docker,
    make_base,
    make_stand_ins,
    require_engine,
)
from tests.docker.files import DOCKER
from tests.docker.test_proxy import free_port, make_secrets, served_certificate
from tests.stack import wait_until

pytestmark = [pytest.mark.big, pytest.mark.timeout(3000)]
FLUX, GPT_IMAGE = "fal/flux-1.1-pro", "openai/gpt-image-1.5"
HELD_S = 70
DRAINED_S = 25
PRODUCT = ("web", "worker", "sweeper", "dispatcher", "beat")
PROBE = """
import socket
for host, port in {targets!r}:
    try:
        socket.create_connection((host, port), 2).close()
        print(host, port)
    except OSError:
        pass
"""
PRIVATE = """
from gateway.storage import private_storage
from hashlib import sha256
data = b"of nobody else"
private_storage().put_image(
    "a/b/0.png", data, content_type="image/png", cache_control="private",
    sha256=sha256(data).hexdigest(),
)
print(private_storage().url("a/b/0.png"))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    require_engine()
    folder = tmp_path_factory.mktemp("containers")
    make_base(folder)
    make_stand_ins(folder)
    build("lienzo-test/lienzo:1", "1")
    here = folder / "docker"
    here.mkdir()
    for name in ("compose.yaml", "nginx.conf"):
        shutil.copy(DOCKER / name, here)
    shutil.copy(DOCKER / "example.env", here / ".env")
    secrets = make_secrets(here)
    plain, tls = free_port(), free_port()
    project = Project(here, f"https://127.0.0.1:{tls}", str(secrets / "tls_certificate"))
    images = {f"{name.upper()}_IMAGE": f"lienzo-test/{name}" for name in STAND_INS}
    settings = {"PUBLIC_BASE_URL": project.url, "ALLOWED_HOSTS": "127.0.0.1"}
    ports = {"HTTP_PORT": str(plain), "HTTPS_PORT": str(tls)}
    project.configure({"LIENZO_IMAGE": "lienzo-test/lienzo:1", **images, **settings, **ports})
    try:
        project.start()
        yield project
    finally:
        project.compose("down", "-v", "--timeout", "5")


@pytest.fixture(scope="module")
def client(project: Project) -> OpenAI:
    organization = project.manage("create_org", "Acme", "--currency", "USD")
    key = project.manage("create_api_key", organization["id"], "--test")["key"]
    http = DefaultHttpxClient(verify=project.certificate, timeout=400)
    return OpenAI(base_url=f"{project.url}/v1", api_key=key, http_client=http, max_retries=0)


def test_every_process_becomes_healthy_as_nobody_special(project: Project):
    wait_until(lambda: len(_healthy(project)) == 9, "healthy processes", timeout_s=180)

    assert _healthy(project) >= {*PRODUCT, "sandbox"}
    for service in PRODUCT:
        code = "import os; print(os.getuid(), os.access('/srv', os.W_OK), os.path.exists('/srv/x'))"
        assert project.python(service, code) == "10001 False False"
    with pytest.raises(AssertionError, match="Read-only file system"):
        project.compose("exec", "-T", "-u", "0", "web", "touch", "/srv/x")


def test_image_has_neither_engines_nor_compilers(project: Project):
    found = project.compose(
        *("exec", "-T", "web", "sh", "-c"),
        "which weed postgres valkey-server gcc; ls /srv/venv/bin | grep -c -E 'weed|pip' || true",
    )

    assert found.split() == ["0"]
    sizes = [
        int(docker("image", "inspect", "-f", "{{.Size}}", one))
        for one in ("lienzo-test/lienzo:1", BASE)
    ]
    assert sizes[0] - sizes[1] < 250e6


def test_only_those_who_need_an_engine_reach_it(project: Project):
    inner = [("seaweedfs", port) for port in (8080, 8888, 9333)]
    engines = [("postgres", 5432), ("valkey", 6379), ("seaweedfs", 8333)]
    probe = PROBE.format(targets=[*engines, *inner, ("web", 8000)])

    assert project.python("web", probe).splitlines() == [
        "postgres 5432",
        "valkey 6379",
        "seaweedfs 8333",
        "web 8000",
    ]
    assert project.python("proxy", probe).splitlines() == ["seaweedfs 8333", "web 8000"]


def test_images_arrive_by_url_and_by_stream(project: Project, client: OpenAI):
    made = client.images.generate(model=FLUX, prompt="a lighthouse at dusk")
    assert made.data is not None
    address = str(made.data[0].url)

    assert address.startswith(f"{project.url}/generated-images/")
    picture = httpx.get(address, verify=project.certificate)
    assert Image.open(io.BytesIO(picture.content)).format == "JPEG"
    start = time.monotonic()
    arrivals = {
        event.type: time.monotonic() - start
        for event in client.images.generate(
            model=GPT_IMAGE, prompt="a cat [[delay=9]]", stream=True, partial_images=2
        )
    }
    # The first came long before the last: nothing on the way had kept it.
    assert list(arrivals) == ["image_generation.partial_image", "image_generation.completed"]
    assert arrivals["image_generation.partial_image"] < arrivals["image_generation.completed"] - 2


def test_signed_addresses_lead_through_the_proxy(project: Project):
    address = project.shell(PRIVATE).splitlines()[-1]

    assert address.startswith(f"{project.url}/generated-images-private/")
    assert httpx.get(address, verify=project.certificate).content == b"of nobody else"
    unsigned = httpx.get(address.partition("?")[0], verify=project.certificate)
    assert unsigned.status_code == 403


def test_large_uploads_arrive(client: OpenAI):
    noise = io.BytesIO()
    data = random.Random(1).randbytes(2048 * 2048 * 3)
    Image.frombytes("RGB", (2048, 2048), data).save(noise, "PNG")
    noise.name = "noise.png"
    assert noise.tell() > 12e6
    noise.seek(0)

    edited = client.images.edit(model=GPT_IMAGE, image=noise, prompt="less of it")
    assert edited.data


def test_callers_cannot_pretend_to_be_elsewhere(project: Project):
    organization = project.manage("create_org", "Careful", "--currency", "USD")["id"]
    forged = {"X-Forwarded-For": "10.9.8.7"}
    statuses = []
    # From this machine, Docker's own proxy has the address of the network's gateway.
    for cidr in ("10.9.8.0/24", "172.31.250.1/32"):
        key = project.manage("create_api_key", organization, "--test", "--cidr", cidr)["key"]
        headers = {"Authorization": f"Bearer {key}", **forged}
        answer = httpx.get(f"{project.url}/v1/models", verify=project.certificate, headers=headers)
        statuses.append(answer.status_code)

    assert statuses == [403, 200]


def test_renewed_certificate_is_taken_in_while_a_request_is_held(
    project: Project, client: OpenAI, tmp_path: Path
):
    secrets = make_secrets(tmp_path)
    renewed = _as_renewed(tmp_path / "new", secrets / "tls_certificate", secrets / "tls_key")
    here = project.folder / "secrets"
    before = _as_renewed(tmp_path / "old", here / "tls_certificate", here / "tls_key")
    unlike = _as_renewed(tmp_path / "unlike", here / "tls_certificate", secrets / "tls_key")
    proxy = project.compose("ps", "-q", "proxy")

    with _Load(client, prompt=f"a slow dog [[delay={DRAINED_S}]]", count=1) as held:
        time.sleep(3)
        project.follow("The proxy", RENEWED=str(renewed))
        wait_until(lambda: _serves(project, renewed), "the renewed certificate")
        with pytest.raises(AssertionError, match="key values mismatch"):
            project.follow("The proxy", RENEWED=str(unlike))
        assert _serves(project, renewed)
        project.follow("The proxy", RENEWED=str(before))
        wait_until(lambda: _serves(project, before), "the first certificate")
    assert (held.failures, held.successes) == ([], 2)
    assert project.compose("ps", "-q", "proxy") == proxy


def test_backup_is_private_and_costs_no_request_its_images(project: Project, client: OpenAI):
    there = {"debian:trixie-slim": BASE, "lienzo_seaweedfs": f"{PROJECT}_seaweedfs"}

    with _Load(client, prompt=f"a slow bird [[delay={DRAINED_S}]]", count=1) as held:
        time.sleep(3)
        project.follow("Backups", there)
    assert (held.failures, held.successes) == ([], 2)
    files = [project.folder / one for one in ("lienzo.dump", "images.tar.gz", "secrets.tar.gz")]
    assert {one.stat().st_mode & 0o777 for one in files} == {0o600}
    assert files[0].read_bytes().startswith(b"PGDMP")
    with tarfile.open(files[1]) as images, tarfile.open(files[2]) as secrets:
        assert any(one.name.endswith(".dat") and one.size for one in images)
        assert {"secrets/secret_key", ".env"} <= set(secrets.getnames())
    wait_until(lambda: len(_healthy(project)) == 9, "healthy processes", timeout_s=180)
    assert client.images.generate(model=FLUX, prompt="a lighthouse at dawn").data


def test_changes_fail_no_request_and_end_those_that_take_over_a_minute(
    project: Project, client: OpenAI
):
    """Under load, and twice: the numbers in containers' names go on rising."""
    for version in ("2", "3"):
        image = f"lienzo-test/lienzo:{version}"
        build(image, version)
        project.configure({"LIENZO_IMAGE": image})
        # Enough that the old ones have some of them.
        held = _Load(client, prompt=f"a slow cat [[delay={HELD_S}]]", callers=8, count=1)
        with _Load(client, prompt=f"lighthouse {version}") as load, ThreadPoolExecutor(1) as aside:
            ended = aside.submit(_hold_once_there_are_two, project, held)
            project.follow("Changes without a gap")
            ended.result()

        assert (held.failures, held.successes) == ([], 8)
        assert min(held.took_s) > HELD_S
        assert load.failures == []
        assert load.successes > 20
        running = project.compose("ps", "-q", *PRODUCT).split()
        images = [docker("inspect", "-f", "{{.Config.Image}}", one).strip() for one in running]
        assert images == [image] * len(PRODUCT)
    project.compose("exec", "-T", "web", "python", "manage.py", "verify_ledger", "--objects")


def _hold_once_there_are_two(project: Project, held: "_Load") -> None:
    def both_run() -> bool:
        return len(project.compose("ps", "-q", "worker").split()) == 2

    wait_until(both_run, "a second worker", timeout_s=300)
    with held:
        pass


def _as_renewed(folder: Path, certificate: Path, key: Path) -> Path:
    """Lay a certificate out as programs that renew them do."""
    folder.mkdir()
    shutil.copy(certificate, folder / "fullchain.pem")
    shutil.copy(key, folder / "privkey.pem")
    return folder


def _serves(project: Project, renewed: Path) -> bool:
    text = (renewed / "fullchain.pem").read_text(encoding="ascii")
    port = int(project.url.rpartition(":")[2])
    return served_certificate(port) == ssl.PEM_cert_to_DER_cert(text)


class _Load:
    """Generations of some callers, `count` of each or until the end of the block."""

    def __init__(
        self, client: OpenAI, *, prompt: str, callers: int = 2, count: int | None = None
    ) -> None:
        self._client, self._prompt, self._count = client, prompt, count
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(callers)]
        self.took_s: list[float] = []
        self.failures: list[str] = []

    @property
    def successes(self) -> int:
        return len(self.took_s)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(200)

    def _ask(self, number: int) -> None:
        for turn in itertools.count() if self._count is None else range(self._count):
            if turn and self._ending.is_set():
                return
            start = time.monotonic()
            prompt = f"{self._prompt} {number} {turn}"
            try:
                self._client.images.generate(model=GPT_IMAGE, prompt=prompt)
            except OpenAIError as error:
                self.failures.append(f"{turn}: {error!r}")
            else:
                self.took_s.append(time.monotonic() - start)


def _healthy(project: Project) -> set[str]:
    lines = project.compose("ps", "--format", "{{.Service}} {{.Health}}").splitlines()
    return {line.split()[0] for line in lines if line.endswith(" healthy")}
