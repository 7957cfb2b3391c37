"""A broker that freezes holds no publisher up, and no connection to it stays behind."""

import queue
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.core.publisher import publisher

TRIES = 2


class _Connection(socketserver.StreamRequestHandler):
    """Opens a connection, and is silent when asked for a channel in it."""

    server: "FrozenBroker"

    def handle(self) -> None:
        with suppress(ConnectionError):
            self.rfile.read(len("AMQP0091"))
            # connection.start, with no properties, one mechanism and one locale.
            self._say(10, struct.pack(">BBII5sI5s", 0, 9, 0, 5, b"PLAIN", 5, b"en_US"))
            self._hear()
            # connection.tune: channels, bytes of a frame, seconds of a heartbeat.
            self._say(30, struct.pack(">HIH", 0, 131_072, 0))
            self._hear()
            self._hear()
            # connection.open-ok
            self._say(41, b"\0")
            while self._hear():
                pass
        self.server.ended.put(True)

    def _say(self, method: int, arguments: bytes) -> None:
        payload = struct.pack(">HH", 10, method) + arguments
        self.wfile.write(struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce")

    def _hear(self) -> bool:
        """Read a frame; return whether there was one."""
        header = self.rfile.read(7)
        if len(header) < 7:
            return False
        size = int.from_bytes(header[3:])
        return len(self.rfile.read(size + 1)) == size + 1


class FrozenBroker(socketserver.ThreadingTCPServer):
    """A RabbitMQ that froze after it had opened a connection, again and again.

    Attributes:
        ended: An item for each connection that its client has closed.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.ended: queue.Queue[bool] = queue.Queue()


@pytest.fixture
def broker() -> Iterator[FrozenBroker]:
    with FrozenBroker() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("patched", [True, False], ids=["patched", "unpatched"])
def test_connection_to_a_frozen_broker_is_given_up_with_each_try(broker, patched):
    url = f"amqp://guest:guest@127.0.0.1:{broker.server_address[1]}//"

    with publisher(url, seconds=0.5, patched=patched) as client:
        assert [client.publish() for _ in range(TRIES)] == [False] * TRIES
        assert [broker.ended.get(timeout=20) for _ in range(TRIES)] == [True] * TRIES
