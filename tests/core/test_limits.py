"""Rates per minute against a real Valkey, at instants that the tests choose."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from core import limits, redis
from core.clock import now
from core.limits import Charge, Standing, give_back, take
from core.redis import SOCKET_TIMEOUT_S, redis_client

START = now()
PIECES_S = 0.06


@pytest.fixture(autouse=True)
def patient(monkeypatch) -> Iterator[None]:
    """A client of the test's own that does not take a busy machine for a silent Valkey."""
    monkeypatch.setattr(redis, "SOCKET_TIMEOUT_S", 2.0)
    forget()
    # Not by several threads at once: of the clients made then all but one would be closed.
    redis_client()
    yield
    forget()


def forget() -> None:
    redis_client.cache_clear()
    limits._cool_off.cache_clear()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def new_owner() -> str:
    return f"test/{uuid4()}"


def images(owner: str, cost: int, *, limit: int = 5) -> Charge:
    return Charge("images", owner, limit, cost)


def take_one(charge: Charge, seconds: float = 0) -> Standing:
    [standing] = take([charge], now=at(seconds))
    return standing


def test_several_count_as_several_until_the_limit_is_used_up():
    owner = new_owner()

    first, second, third = (take_one(images(owner, cost)) for cost in (2, 3, 1))

    assert (first.is_refused, first.remaining) == (False, 3)
    assert (second.is_refused, second.remaining) == (False, 0)
    assert (third.is_refused, third.remaining) == (True, 0)


def test_what_is_refused_uses_nothing_up():
    owner = new_owner()
    take_one(images(owner, 3))

    refused = take_one(images(owner, 3))

    assert (refused.is_refused, refused.remaining) == (True, 2)
    assert take_one(images(owner, 2)).is_refused is False


def test_refusal_says_when_enough_of_the_window_has_passed():
    owner = new_owner()
    take_one(images(owner, 2), seconds=0)
    take_one(images(owner, 3), seconds=10)

    two, three = (take_one(images(owner, cost), seconds=20) for cost in (2, 3))

    assert two.wait_s == pytest.approx(40, abs=0.01)
    assert three.wait_s == pytest.approx(50, abs=0.01)
    assert two.reset_s == pytest.approx(50, abs=0.01)
    assert take_one(images(owner, 2), seconds=59.9).is_refused is True
    assert take_one(images(owner, 2), seconds=60.1).is_refused is False


def test_one_refusal_takes_nothing_of_the_other_limits():
    key, organization = new_owner(), new_owner()
    take_one(images(organization, 4))

    passing, refused = take([images(key, 2), images(organization, 2)], now=at(5))

    assert (passing.is_refused, passing.remaining, passing.reset_s) == (False, 5, 0.0)
    assert (refused.is_refused, refused.remaining) == (True, 1)
    assert take_one(images(key, 5)).remaining == 0


def test_more_than_the_limit_at_once_never_passes():
    standing = take_one(images(new_owner(), 6))

    assert (standing.is_refused, standing.remaining, standing.reset_s) == (True, 5, 0.0)


def test_what_is_given_back_can_be_taken_again():
    owner = new_owner()
    before = take_one(images(owner, 1), seconds=0)
    taken = take_one(images(owner, 4), seconds=10)

    give_back([taken.charge])

    assert taken.returned().remaining == before.remaining == 4
    assert taken.returned().reset_s == pytest.approx(50, abs=0.01)
    assert take_one(images(owner, 4), seconds=20).is_refused is False


def test_owners_and_resources_are_counted_apart():
    owner = new_owner()
    take_one(images(owner, 5))

    assert take_one(images(new_owner(), 5)).is_refused is False
    assert take_one(Charge("requests", owner, 5, 5)).is_refused is False


def test_many_at_once_take_exactly_the_limit():
    owner, threads = new_owner(), 8
    start = threading.Barrier(threads)

    def work(_: int) -> int:
        start.wait()
        charge = images(owner, 1, limit=50)
        return sum(not take_one(charge).is_refused for _ in range(20))

    with ThreadPoolExecutor(threads) as pool:
        taken = sum(pool.map(work, range(threads)))

    assert taken == 50


class Wire:
    """A server that passes bytes on to Valkey, counts round trips, and can fall silent."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.questions = 0
        self.is_silent = False
        self._is_answered = True
        self._heard_s = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with closing(client), socket.create_connection(self._target) as upstream:
            back = threading.Thread(target=self._pump, args=(upstream, client), daemon=True)
            back.start()
            while data := client.recv(65_536):
                self._heard_s = time.monotonic()
                self.questions += self._is_answered
                self._is_answered = self.is_silent
                if not self.is_silent:
                    upstream.sendall(data)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                # A question comes in several pieces, and Valkey answers the first one at once.
                while time.monotonic() < self._heard_s + PIECES_S:
                    time.sleep(PIECES_S)
                self._is_answered = True
                target.sendall(data)
        except OSError:
            return

    def close(self) -> None:
        """Refuse connections from now on."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def wire(settings) -> Iterator[Wire]:
    """The way to Valkey of this test's own client."""
    target = redis_client().connection_pool.connection_kwargs
    made = Wire(target["host"], target["port"])
    host = f"{target['host']}:{target['port']}"
    settings.REDIS_URL = settings.REDIS_URL.replace(host, f"127.0.0.1:{made.port}")
    forget()
    yield made
    made.close()


def test_four_limits_are_one_round_trip(wire):
    charges = [images(new_owner(), 2) for _ in range(4)]
    take(charges, now=at(0))
    before = wire.questions

    assert len(take(charges, now=at(0))) == 4

    assert wire.questions - before == 1


def test_silent_valkey_lets_everything_pass_and_is_not_asked_again(wire):
    charge = images(new_owner(), 5, limit=5)
    assert take_one(charge).is_refused is False
    wire.is_silent = True
    asked = wire.questions

    assert take([charge], now=at(1)) == ()
    waited_for = wire.questions - asked
    assert [take([charge], now=at(2)) for _ in range(50)] == [()] * 50

    assert waited_for == 1
    assert wire.questions - asked == waited_for


def test_whoever_waits_for_a_turn_is_not_let_pass():
    """A burst, which limits are for, keeps a process busy for longer than an answer may take."""
    charge = images(new_owner(), 1)
    turns = [limits._turns() for _ in range(limits.CONNECTIONS)]
    with ExitStack() as all_taken, ThreadPoolExecutor(1) as pool:
        for turn in turns:
            all_taken.enter_context(turn)
        late = pool.submit(take_one, charge)
        assert wait([late], timeout=2 * SOCKET_TIMEOUT_S).done == set()
        all_taken.close()

        assert late.result().remaining == 4


def test_absent_valkey_lets_everything_pass(wire):
    wire.close()

    assert take([images(new_owner(), 9)], now=at(0)) == ()


def test_valkey_is_asked_again_after_the_pause(wire):
    charge = images(new_owner(), 1)
    wire.is_silent = True
    assert take([charge], now=at(0)) == ()
    wire.is_silent = False
    assert take([charge], now=at(0)) == ()

    limits._cool_off()._until = 0.0

    assert take_one(charge).remaining == 4
