"""`make restart`: what it reaches, and the settings that it keeps."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.children import Folders
from embedded.errors import EmbeddedError
from embedded.files import write_env_file
from embedded.locks import sole_user
from embedded.orders import Orders
from embedded.started import order_restart, running_folder, write_started
from embedded.state import cluster_folder, demo_file, services_file

STARTED = {"FAL_API_KEY": "old", "PORT": "8001", "PATH": "/bin", "LIENZO_VAR": "var"}


@contextlib.contextmanager
def running(var: Path, ordered: list[str]) -> Iterator[None]:
    """What a supervisor that was started with these settings does about orders."""

    def restart(names: list[str]) -> list[str]:
        ordered.extend(names or ["everything"])
        return []

    with sole_user(var):
        write_started(var, STARTED)
        write_env_file(services_file(var), {"S3_BUCKET": "generated-images"})
        write_env_file(demo_file(var), {"LIENZO_API_KEY": "lz_sk_live_demo"})
        orders = Orders(Folders.under(var), {"restart": restart})
        stopping = threading.Event()

        def serve() -> None:
            while not stopping.wait(0.02):
                orders.carry_out()

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield
        finally:
            stopping.set()
            server.join()


@pytest.fixture(autouse=True)
def woken() -> Iterator[None]:
    previous = signal.signal(signal.SIGCHLD, lambda *_: None)
    yield
    signal.signal(signal.SIGCHLD, previous)


@pytest.mark.parametrize(
    "environ",
    [
        {"PATH": "/usr/bin", "LIENZO_VAR": "/srv/lienzo/var"},
        STARTED,
        {
            "S3_BUCKET": "generated-images",
            "LIENZO_API_KEY": "lz_sk_live_demo",
            "OPENAI_API_KEY": "",
        },
        {"ANTHROPIC_API_KEY": "sk-ant-1", "GITHUB_BASE_URL": "https://x", "LIENZO_API_KEY": "lz"},
    ],
    ids=["nothing", "the same", "what runs", "what others read"],
)
def test_restart_names_the_settings_that_it_keeps(tmp_path, capsys, environ):
    ordered: list[str] = []
    with running(tmp_path, ordered):
        order_restart(tmp_path, [], environ)

    assert ordered == ["everything"]
    assert capsys.readouterr().out == "Settings stay those of the start: FAL_API_KEY, PORT.\n"


@pytest.mark.parametrize("value", ["new", ""])
def test_restart_under_other_settings_is_refused(tmp_path, value):
    environ = {"FAL_API_KEY": value, "OPENAI_API_KEY": value, "HOME": "/root"}
    names = "FAL_API_KEY, OPENAI_API_KEY" if value else "FAL_API_KEY"
    ordered: list[str] = []
    with running(tmp_path, ordered), pytest.raises(EmbeddedError, match=f"^{names}: not what"):
        order_restart(tmp_path, ["web"], environ)

    assert ordered == []
    noted = (tmp_path / "run" / "settings.json").read_text()
    assert "FAL_API_KEY" in noted
    assert "old" not in noted


def test_cluster_is_reached_where_nothing_else_runs(tmp_path):
    cluster = cluster_folder(tmp_path)
    ordered: list[str] = []
    assert running_folder(tmp_path) == tmp_path
    with running(cluster, ordered):
        order_restart(running_folder(tmp_path), ["b"], {})
        with sole_user(tmp_path):
            assert running_folder(tmp_path) == tmp_path

    assert ordered == ["b"]
    with pytest.raises(EmbeddedError, match="Nothing is running"):
        order_restart(running_folder(tmp_path), [], os.environ)
