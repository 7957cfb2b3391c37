"""pytest plugin: real PostgreSQL, Valkey and S3 for one test run, in a folder of their own.

Loaded by ``-p tests.services`` before settings are imported. The engines are children of a
process that lives as long as a pipe from pytest is open, so that they end with pytest however it
ends. pytest-xdist's workers inherit the environment and start nothing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from embedded.environment import without_settings
from embedded.limits import raise_file_limit

MARK = "LIENZO_TEST_SERVICES"
_STOP_TIMEOUT_S = 30
_HOLDER = pytest.StashKey[subprocess.Popen[str]]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, args: list[str]
) -> Generator[None, object, object]:
    # A wrapper runs before pytest-django's hook, which imports the settings.
    if MARK not in os.environ and not {"--help", "-h", "--version", "-V"} & set(args):
        _start(early_config)
    return (yield)


def _start(config: pytest.Config) -> None:
    raise_file_limit()
    kept = without_settings(os.environ)
    # Dozens of processes start, which would all compile the product: a fifth of their starting.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    holder = subprocess.Popen(
        [sys.executable, "-m", "embedded", "hold"],
        cwd=Path(__file__).resolve().parent.parent,
        env=kept,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert holder.stdout is not None
    # Also on Ctrl-C here: the pipe closes with us, and the holder ends what it began.
    line = holder.stdout.readline()
    if not line:
        raise pytest.UsageError("The services for the tests did not start; see above.")
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(json.loads(line))
    os.environ[MARK] = str(holder.pid)
    config.stash[_HOLDER] = holder


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    holder = config.stash.get(_HOLDER, None)
    if holder is None:
        return
    assert holder.stdin is not None
    holder.stdin.close()
    holder.wait(_STOP_TIMEOUT_S)
    del os.environ[MARK]
