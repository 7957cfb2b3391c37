"""Where gunicorn's workers keep the numbers that its master adds up: a folder of each master.

A master that is killed leaves its folder behind; the next one removes it. What tells them apart is
a lock on the folder, which ends with its master: other masters on this machine, a predecessor that
still finishes what it has begun among them, keep theirs. Neither Django nor the metrics' library is
imported.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

_PREFIX: Final = "lienzo-metrics-"


class MetricsFolder:
    """A folder that is locked as long as the process that made it lives, or until it is left.

    Args:
        parent: Where to make it. Those of ended processes are removed from there.
    """

    def __init__(self, parent: Path) -> None:
        for path in parent.glob(f"{_PREFIX}*"):
            _remove_if_left(path)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock = os.open(self.path, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if self.path.exists():
                break
            # Another process that begins took it for one that was left.
            os.close(self._lock)

    def leave(self) -> None:
        """Hold it no longer, as a forked process does with its parent's."""
        os.close(self._lock)

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)


@cache
def metrics_folder() -> MetricsFolder:
    """Return the one folder of this master, which its workers inherit."""
    return MetricsFolder(_parent(os.environ))


def _parent(environ: Mapping[str, str]) -> Path:
    """Return where state is kept on one machine, else the system's temporary folder."""
    if not environ.get("LIENZO_VAR"):
        return Path(tempfile.gettempdir())
    folder = Path(environ["LIENZO_VAR"]) / "run"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _remove_if_left(path: Path) -> None:
    try:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        # Another process that begins has removed it.
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        # Its process lives.
        return
    finally:
        os.close(lock)
