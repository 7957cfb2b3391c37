"""Starting, watching and ending one child process with everything it spawned.

Every child leads a session of its own, so a signal to its process group reaches its descendants
and a Ctrl-C in the terminal reaches the supervisor alone.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.accounts import Account
from embedded.files import make_folder, write_private

READY_FILE = "LIENZO_READY_FILE"
_ROTATE_BYTES = 20_000_000
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run. SIGKILL follows ``stop_grace_s`` after ``stop_signal``.

    ``litter`` are files that the program leaves behind when killed; they go with the process.
    When it is restarted, a process that ``overlaps`` stops only once its successor serves, and may
    take ``drain_grace_s`` to finish what it has begun. ``announcers`` is how many lines it writes
    into the file ``LIENZO_READY_FILE`` until it serves as a whole.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    account: Account | None = None
    pass_fds: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_s: float = 10.0
    litter: tuple[Path, ...] = ()
    overlaps: bool = False
    drain_grace_s: float = 10.0
    announcers: int = 0


@dataclass(frozen=True, slots=True)
class Folders:
    """Where children's logs and records are kept."""

    logs: Path
    records: Path

    @classmethod
    def under(cls, var: Path) -> "Folders":
        """Return the folders ``log`` and ``run`` of ``var``, created if needed."""
        return cls(logs=make_folder(var / "log"), records=make_folder(var / "run"))

    def log(self, name: str) -> Path:
        """Return the log file of the child called ``name``."""
        return self.logs / f"{name}.log"

    def record(self, name: str) -> Path:
        """Return the file that names the running process of the child called ``name``."""
        return self.records / f"{name}.json"


class Child:
    """One process of a `Spec`; started anew, it is another `Child`."""

    def __init__(self, spec: Spec, folders: Folders, *, record: str = "") -> None:
        """Start the process and record it, under its own name unless told another.

        Raises:
            OSError: The program cannot be run.
        """
        self.spec = spec
        self.started_s = time.monotonic()
        self._folders = folders
        self._record = folders.record(record or spec.name)
        # Of this process alone: a part of its predecessor that is replaced must not speak for it.
        self._announced = folders.records / f"{spec.name}-{time.monotonic_ns()}.ready"
        announced = {READY_FILE: str(self._announced)} if spec.announcers else {}
        log = folders.log(spec.name)
        if log.exists() and log.stat().st_size > _ROTATE_BYTES:
            log.replace(log.with_suffix(".log.1"))
        account = spec.account
        with open(log, "ab", opener=_private_append) as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own process table
                spec.argv,
                env={**spec.env, **announced},
                cwd=spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=spec.pass_fds,
                umask=0o077,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        write_record(self._record, self._process.pid)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._process.pid

    def record_as(self, name: str) -> None:
        """Record the process under another name, in place of what that named."""
        renamed = self._folders.record(name)
        with contextlib.suppress(FileNotFoundError):
            self._record.replace(renamed)
        self._record = renamed

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs or is stopped."""
        return self._process.poll()

    def has_announced(self) -> bool:
        """Tell whether it has said that it serves; of one that never says so it is taken for so."""
        try:
            lines = self._announced.read_bytes().splitlines()
        except FileNotFoundError:
            lines = []
        return len(lines) >= self.spec.announcers

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group; nothing happens when it is gone."""
        signal_group(self.pid, number)

    def ask_to_stop(self) -> None:
        """Send the stop signal to the leader, which ends its own descendants in order.

        A process stopped by SIGSTOP is continued, as it could not react otherwise.
        """
        if self.exit_code() is None:
            os.kill(self.pid, self.spec.stop_signal)
            os.kill(self.pid, signal.SIGCONT)

    def forget(self) -> None:
        """Remove the record of a process that has ended."""
        self._record.unlink(missing_ok=True)
        self._announced.unlink(missing_ok=True)

    def finish(self) -> None:
        """End whatever is left of the process group at once and forget the record."""
        self.signal(signal.SIGKILL)
        self._process.wait()
        self.forget()
        for path in self.spec.litter:
            path.unlink(missing_ok=True)


def stop_all(children: Iterable[Child], *, hurry: Callable[[], bool] = lambda: False) -> None:
    """Stop children side by side, each within its own grace; ``hurry`` cuts the grace short."""
    pending = list(children)
    asked_s = time.monotonic()
    for child in pending:
        child.ask_to_stop()
    while pending:
        waited_s = time.monotonic() - asked_s
        for child in list(pending):
            overdue = hurry() or waited_s >= child.spec.stop_grace_s
            if overdue or child.exit_code() is not None:
                child.finish()
                pending.remove(child)
        if pending:
            time.sleep(_POLL_S)


def signal_group(group: int, number: int) -> bool:
    """Signal a process group; False when it has no member (or none that is ours) any more."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def write_record(path: Path, pid: int) -> None:
    """Record a process with its start time, as process ids are used again."""
    record = {"pid": pid, "started": start_time(pid), "boot": _boot_id()}
    write_private(path, json.dumps(record) + "\n")


def recorded_pid(path: Path) -> int | None:
    """Return the recorded process id if that very process is still alive."""
    record = _read_record(path)
    if record is None or record["boot"] != _boot_id():
        return None
    pid = int(str(record["pid"]))
    started = start_time(pid)
    return pid if started is not None and started == record["started"] else None


def end_leftovers(folders: Folders, *, grace_s: float = 3.0) -> list[str]:
    """End the processes that a killed supervisor left behind; return their names.

    A group whose leader is gone still belongs to us: the kernel gives no process the id of a
    group that has members.
    """
    groups: dict[str, int] = {}
    for path in folders.records.glob("*.ready"):
        path.unlink()
    for path in sorted(folders.records.glob("*.json")):
        record = _read_record(path)
        path.unlink(missing_ok=True)
        if record is None or record["boot"] != _boot_id():
            continue
        pid = int(str(record["pid"]))
        if start_time(pid) in {None, record["started"]} and signal_group(pid, signal.SIGINT):
            signal_group(pid, signal.SIGCONT)
            groups[path.stem] = pid
    deadline_s = time.monotonic() + grace_s
    while any(_group_lives(group) for group in groups.values()):
        if time.monotonic() >= deadline_s:
            for group in groups.values():
                signal_group(group, signal.SIGKILL)
        time.sleep(_POLL_S)
    return list(groups)


def start_time(pid: int) -> str | None:
    """Return an opaque start time of a live process; None when it is gone or a zombie."""
    if Path("/proc/self/stat").exists():
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        # proc(5): the name in parentheses may hold anything; state and start time follow it.
        fields = text.rpartition(")")[2].split()
        return None if fields[0] in {"Z", "X"} else fields[19]
    command = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
    found = subprocess.run(  # noqa: S603 - fixed arguments
        command, check=False, capture_output=True, text=True
    ).stdout.split(maxsplit=1)
    return found[1].strip() if len(found) > 1 and not found[0].startswith("Z") else None


def _group_lives(group: int) -> bool:
    """Tell whether a process group has members other than zombies awaiting their parent."""
    if not signal_group(group, 0):
        return False
    if not Path("/proc/self/stat").exists():
        return True
    return any(
        _group_of(entry) == group and start_time(int(entry.name)) is not None
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
    )


def _group_of(entry: Path) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(int(entry.name))
    return None


def _read_record(path: Path) -> dict[str, object] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) and {"pid", "started", "boot"} <= set(found) else None


def _boot_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _private_append(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
