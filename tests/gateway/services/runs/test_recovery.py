"""A sweeper whose storage does not answer ends what is overdue all the same, and starves nobody."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from core import turns
from core.clock import now
from gateway.models import Attempt, Generation, Process
from gateway.services.runs import recovery
from gateway.services.runs.recovery import sweep
from orgs.models import ApiKey
from tests.gateway.services.rows import add_attempt, add_generation, new_worker, open_key

NO_OBJECTS = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'


class SlowStorage(ThreadingHTTPServer):
    """An empty storage that refuses what it is asked about some generations, after a while.

    While it is silent the sweeper's clock goes on, and nothing else makes it: however slow the
    machine is, a round has time until the first silence and none after it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.silent: set[UUID] = set()
        self.asked: list[UUID] = []
        self.clock_s = 0.0
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: SlowStorage

    def do_GET(self) -> None:
        [prefix] = parse_qs(urlsplit(self.path).query)["prefix"]
        generation_id = UUID(prefix.split("/")[1])
        self.server.asked.append(generation_id)
        is_silent = generation_id in self.server.silent
        body = b"" if is_silent else NO_OBJECTS
        if is_silent:
            self.server.clock_s += recovery.STORAGE_WITHIN_S
        self.send_response(403 if is_silent else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def storage(committed, settings, monkeypatch) -> Iterator[SlowStorage]:
    server = SlowStorage()
    for module in (recovery, turns):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: server.clock_s))
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    settings.S3_ENDPOINT_URL = f"http://127.0.0.1:{server.server_port}"
    try:
        yield server
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def add_orphans(count: int) -> list[UUID]:
    """Add generations whose worker has died."""
    worker_id, api_key = new_worker(), open_key()
    Process.objects.filter(id=worker_id).update(ended_at=now())
    claimed = {"status": "running", "worker_id": worker_id, "livemode": False}
    return [add_generation(api_key, claim_token=uuid4(), **claimed).id for _ in range(count)]


def add_stray(api_key: ApiKey, *, minutes: float) -> UUID:
    """Add a generation that ended so long ago and may have left objects."""
    ended = {"status": "failed", "finished_at": now() - timedelta(minutes=minutes)}
    return add_generation(api_key, has_stray_objects=True, **ended).id


def do_round() -> None:
    sweep(now=now(), watched_for_s=0)


def test_silent_storage_delays_neither_the_overdue_nor_the_next_round(storage):
    ended = {"status": "failed", "finished_at": now() - timedelta(minutes=1)}
    orphans, api_key = add_orphans(10), open_key()
    strays = [add_generation(api_key, has_stray_objects=True, **ended).id for _ in range(10)]
    storage.silent = {*orphans, *strays}
    abandoned = add_attempt(
        add_generation(api_key, **ended),
        number=1,
        ended_at=None,
        status="started",
        is_sandboxed=True,
    )

    def overdue() -> Generation:
        return add_generation(api_key, livemode=False, deadline_at=now())

    for _ in range(2):
        late = overdue()
        asked = len(storage.asked)
        do_round()
        late.refresh_from_db()
        assert late.status == "failed"
        assert len(storage.asked) - asked == 1

    assert Attempt.objects.get(id=abandoned.id).finished_at is not None


def test_many_whose_objects_hang_keep_no_other_from_being_tidied(storage, monkeypatch):
    """In the order of their ends as many as a round takes would be all that is ever looked at."""
    monkeypatch.setattr(recovery, "BATCH", 2)
    api_key = open_key()
    stuck = [add_stray(api_key, minutes=60) for _ in range(2)]
    other = add_stray(api_key, minutes=1)
    storage.silent = set(stuck)

    left = Generation.objects.filter(id=other, has_stray_objects=True)
    for _ in range(100):
        do_round()
        if not left.exists():
            break

    assert not left.exists()
    assert Generation.objects.filter(id__in=stuck, has_stray_objects=True).count() == 2


def test_one_whose_objects_hang_keeps_no_other_from_its_recovery(storage):
    """In the order of their rows the first would take the whole time of every round."""
    stuck, *others = add_orphans(4)
    storage.silent = {stuck}

    recovered = Generation.objects.filter(id__in=others, status="queued")
    for _ in range(60):
        do_round()
        if recovered.count() == len(others):
            break

    assert set(recovered.values_list("id", flat=True)) == set(others)
    assert Generation.objects.get(id=stuck).status == "running"
