"""One user of a state folder at a time."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from embedded.children import Folders, recorded_pid, write_record
from embedded.errors import EmbeddedError
from embedded.files import make_folder
from embedded.state import services_file, supervisor_record

_STOP_TIMEOUT_S = 60.0


@contextlib.contextmanager
def sole_user(var: Path) -> Iterator[None]:
    """Hold the state folder for this process.

    Raises:
        EmbeddedError: Another process holds it.
    """
    make_folder(var, mode=0o711)
    Folders.under(var)
    record = supervisor_record(var)
    descriptor = os.open(var / "run" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise EmbeddedError(_held(var)) from error
        write_record(record, os.getpid())
        try:
            yield
        finally:
            services_file(var).unlink(missing_ok=True)
            record.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def stop_running(var: Path) -> bool:
    """Stop the supervisor of a state folder and wait for it; False when none runs.

    Raises:
        EmbeddedError: It is still there after a minute.
    """
    pid = recorded_pid(supervisor_record(var))
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    deadline_s = time.monotonic() + _STOP_TIMEOUT_S
    while recorded_pid(supervisor_record(var)) == pid:
        if time.monotonic() >= deadline_s:
            raise EmbeddedError(f"Process {pid} did not stop within {_STOP_TIMEOUT_S:.0f} s.")
        time.sleep(0.05)
    return True


def _held(var: Path) -> str:
    pid = recorded_pid(supervisor_record(var))
    who = f" (process {pid})" if pid else ""
    return (
        f"Lienzo is already running on {var}{who}. Stop it with `make stop`, or use another "
        "folder and port: LIENZO_VAR=var2 PORT=8001 make run"
    )
