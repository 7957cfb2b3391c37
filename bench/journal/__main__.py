"""`python -m bench.journal`: engines of its own, a large ledger, and how long reading it takes."""

import argparse
import os
import subprocess
import sys

from embedded.environment import without_settings
from embedded.processes import ROOT, child_environment, page_files_command, preparations
from embedded.session import temporary_services

LEAST = 10_000


def main() -> int:
    """Start the engines in a temporary folder, seed and measure; return the exit code."""
    options = _arguments()
    environ = without_settings(os.environ)
    with temporary_services() as values:
        environment = child_environment(environ, {**values, "LOG_LEVEL": "ERROR"})
        for command in (*(command for _, command in preparations()), page_files_command()):
            subprocess.run(command, env=environment, cwd=ROOT, check=True)
        # A process of its own, as the settings are read from the environment.
        timing = (sys.executable, "-m", "bench.journal.timing")
        size = (str(options.postings), str(options.seed))
        return subprocess.run((*timing, *size), env=environment, cwd=ROOT, check=False).returncode


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.journal", description=__doc__)
    parser.add_argument("--postings", type=int, default=5_000_000, help="about so many")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same amounts")
    options = parser.parse_args()
    if options.postings < LEAST:
        parser.error(f"--postings must be at least {LEAST}")
    return options


if __name__ == "__main__":
    sys.exit(main())
