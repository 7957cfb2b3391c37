"""`make` for commands of the documentation: as ever, but for what never ends or takes long.

``run`` is started beside the running product, on data of its own, until it is ready, and stopped.
What is run for every change anyway (the tests, for one) is only looked up.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.documentation.running import checkout, running

FOREVER = frozenset({"run", "run-cluster"})
ELSEWHERE = frozenset({"test", "test-big", "check", "docs", "bench"})


def main(arguments: list[str]) -> int:
    """Do what a page says `make` is to do; return its exit code."""
    own = Path(os.environ["CURL_HOME"])
    path = os.pathsep.join(
        part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != own
    )
    make = shutil.which("make", path=path) or "make"
    if FOREVER & set(arguments):
        kept = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        with checkout({**kept, "PATH": path}) as here, running([make, *arguments], here):
            print(f"make {' '.join(arguments)}: ready, and stopped again")
        return 0
    if ELSEWHERE & set(arguments):
        arguments = ["--dry-run", *arguments]
    return subprocess.run([make, *arguments], check=False).returncode


def _is_ours(name: str) -> bool:
    return name in {"LIENZO_VAR", "PORT"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
