"""Orders to a running supervisor, and its answers: files in its state folder.

A command writes an order, wakes the supervisor and prints the lines of the answer as they come.
Who may write into the folder may give orders; nobody else can.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from embedded.children import Folders, recorded_pid
from embedded.errors import EmbeddedError, StopRequestedError
from embedded.files import make_folder, write_private
from embedded.state import supervisor_record
from embedded.supervisor import say

Handler = Callable[[list[str]], Iterable[str]]
_LOOK_EVERY_S = 0.1


class Orders:
    """The supervisor's side: carries orders out one after another."""

    def __init__(self, folders: Folders, handlers: Mapping[str, Handler]) -> None:
        self._folder = make_folder(folders.records / "orders")
        self._handlers = handlers
        # What was ordered of an earlier supervisor is not meant for this one.
        for path in self._folder.iterdir():
            path.unlink()

    def carry_out(self) -> None:
        """Carry out what was ordered since the last look.

        What the system refuses, such as to run a program that is being replaced, is answered, too:
        the processes that run must not go down with it.
        """
        for path in sorted(self._folder.glob("*.order")):
            action, *arguments = json.loads(path.read_text(encoding="utf-8"))
            path.unlink()
            with path.with_suffix(".answer").open("a", encoding="utf-8") as answer:
                try:
                    for line in self._handler(action)(arguments):
                        say(line)
                        _write(answer, {"line": line})
                except StopRequestedError:
                    raise
                except (EmbeddedError, OSError) as error:
                    say(str(error))
                    _write(answer, {"error": str(error)})
                else:
                    _write(answer, {"done": action})

    def _handler(self, action: str) -> Handler:
        """Return what carries out an action; a newer version's command may know more of them."""
        if action not in self._handlers:
            raise EmbeddedError(f"What runs here knows no order {action}.")
        return self._handlers[action]


def give(var: Path, words: Sequence[str]) -> None:
    """Give an order to the supervisor of a state folder and print its answer until it is done.

    Raises:
        EmbeddedError: Nothing runs there, it ended meanwhile, or it could not do it.
    """
    pid = recorded_pid(supervisor_record(var))
    folder = var / "run" / "orders"
    if pid is None or not folder.is_dir():
        raise EmbeddedError(
            f"Nothing is running on {var}. Start it first, or name its folder by LIENZO_VAR."
        )
    order = folder / f"{time.time_ns()}-{os.getpid()}.order"
    write_private(order, json.dumps(list(words)))
    answer = order.with_suffix(".answer")
    # It looks around at the end of a child, and so at this.
    os.kill(pid, signal.SIGCHLD)
    shown = 0
    while True:
        lives = recorded_pid(supervisor_record(var)) == pid
        for line in _lines(answer)[shown:]:
            shown += 1
            found = json.loads(line)
            if "line" in found:
                say(found["line"])
            elif "error" in found:
                answer.unlink(missing_ok=True)
                raise EmbeddedError(found["error"])
            else:
                answer.unlink(missing_ok=True)
                return
        if not lives:
            order.unlink(missing_ok=True)
            raise EmbeddedError("It was stopped before it had done everything.")
        time.sleep(_LOOK_EVERY_S)


def _lines(path: Path) -> list[str]:
    """Return the lines that were written whole."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
    return []


def _write(file: TextIO, value: object) -> None:
    file.write(json.dumps(value) + "\n")
    file.flush()
