"""The system account that runs PostgreSQL when Lienzo is started as root."""

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import EmbeddedError

ACCOUNT_NAME = "lienzo-db"
_LOCK_TRIES = 20


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a process runs as; groups other than ``gid`` are dropped."""

    uid: int
    gid: int


def server_account(data: Path) -> Account | None:
    """Return the account for PostgreSQL, which refuses to run as root.

    Args:
        data: The data folder; when it exists its owner goes on owning it.

    Returns:
        None when the current user is not root and runs everything.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        found = data.stat()
        return Account(found.st_uid, found.st_gid)
    entry = _look_up(ACCOUNT_NAME) or _create_account() or _look_up("nobody")
    if entry is None:
        raise EmbeddedError(
            "PostgreSQL does not run as root and no other account could be created. "
            "Start as another user, or set DATABASE_URL."
        )
    return entry


def can_reach(path: Path, account: Account) -> bool:
    """Tell whether ``account`` may pass through every folder from ``/`` down to ``path``."""
    for folder in (path, *path.parents):
        found = folder.stat()
        if found.st_uid == account.uid:
            allowed = found.st_mode & 0o100
        elif found.st_gid == account.gid:
            allowed = found.st_mode & 0o010
        else:
            allowed = found.st_mode & 0o001
        if not allowed:
            return False
    return True


def _look_up(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _create_account() -> Account | None:
    useradd = shutil.which("useradd") or shutil.which("useradd", path="/usr/sbin:/sbin")
    if useradd is None:
        return None
    command = [useradd, "--system", "--user-group", "--no-create-home"]
    command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
    for _ in range(_LOCK_TRIES):
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - fixed arguments
        # Another start may have created it, or hold the lock on the account files for a moment.
        if entry := _look_up(ACCOUNT_NAME):
            return entry
        time.sleep(0.1)
    return None
