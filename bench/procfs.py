"""CPU time and memory of whole process trees, from Linux's /proc."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU milliseconds used so far; peak memory in MiB, pages shared between processes apart.

    Memory is the sum of each process's peak, hence an upper bound of the tree's.
    """

    cpu_ms: float
    peak_mib: float


def usage(root: int) -> Usage:
    """Return what a process and all its descendants have used, ended ones included."""
    cpu_ms = 0.0
    peak_kib = 0
    for pid in _tree(root):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = _stat(pid)
            # proc(5): utime, stime, and those of children that were waited for.
            cpu_ms += sum(map(int, fields[11:15])) * _TICK_MS
            peak_kib += _peak_kib(pid)
    return Usage(cpu_ms, peak_kib / 1024)


def forget_peaks(root: int) -> None:
    """Let the peak memory of a tree begin anew; where that is not allowed, it stays."""
    for pid in _tree(root):
        with contextlib.suppress(OSError):
            (_PROC / str(pid) / "clear_refs").write_text("5")


def _tree(root: int) -> Iterator[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                children[int(_stat(int(entry.name))[1])].append(int(entry.name))
    pending = [root]
    while pending:
        pid = pending.pop()
        yield pid
        pending += children[pid]


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's `stat` that follow its name."""
    text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()


def _peak_kib(pid: int) -> int:
    """Return the peak of resident memory less the file and shared pages resident now."""
    found: dict[str, int] = {}
    for line in (_PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name in {"VmHWM", "RssFile", "RssShmem"}:
            found[name] = int(value.split()[0])
    shared = found.get("RssShmem", 0)
    return max(0, found.get("VmHWM", 0) - shared)
