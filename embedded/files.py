"""Small private files: written whole or not at all, readable by their owner alone."""

import contextlib
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path

_TAIL_BYTES = 16_384


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` atomically with ``text``, mode 0600."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def write_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Write ``NAME=value`` lines that both ``sh`` and `read_env_file` understand."""
    lines = (f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    write_private(path, "".join(lines))


def read_env_file(path: Path) -> dict[str, str]:
    """Read what `write_env_file` wrote; a missing file is empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, quoted = line.partition("=")
        if separator and not name.startswith("#"):
            values[name.strip()] = "".join(shlex.split(quoted))
    return values


def make_folder(path: Path, *, mode: int = 0o700) -> Path:
    """Create ``path`` with its parents; an existing folder keeps its mode."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    return path


def last_lines(path: Path, *, count: int = 15) -> str:
    """Return the end of a log file, indented for a terminal; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(f"    {line}" for line in lines[-count:])
