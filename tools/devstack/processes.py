"""Starts, watches and ends the processes of the stack, each in a separate session and known by pid and start time."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from devstack.errors import StackError

POLL_SECONDS = 0.05

# Handles of our children: without them a dead child would stay a zombie and pass for a living one.
_children: dict[tuple[int, str], subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ProcessRecord:
    """One started process: enough to find it again later and to know that the pid is still its own.

    `birth` is the system's own mark of when the process began, the same for ever; `started_at`, in seconds since the
    epoch, is for comparing with other times.
    """

    name: str
    pid: int
    birth: str
    started_at: float = 0.0
    log: str = ""
    stop_signal: int = signal.SIGTERM

    @classmethod
    def of_this_process(cls, name: str) -> "ProcessRecord":
        """Describe the running interpreter itself."""
        return cls(name, os.getpid(), birth_of(os.getpid()), psutil.Process().create_time())

    def is_alive(self) -> bool:
        """Tell whether this very process still runs; a zombie or another process with its pid does not count."""
        return _find(self) is not None

    def exit_code(self) -> int | None:
        """Return the exit code if it was our child and has ended, else None."""
        child = _children.get((self.pid, self.birth))
        return None if child is None else child.poll()


@dataclass(frozen=True)
class Command:
    """What to start: arguments, the whole environment, where its output goes and, for a change of user, uid and gid."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    stop_signal: int = signal.SIGTERM
    user: int | None = None
    group: int | None = None


def spawn(command: Command) -> ProcessRecord:
    """Start a command in a new session, its output appended to its log; raises StackError if it can't be started."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with command.log.open("ab") as log:
            child = subprocess.Popen(
                list(command.argv),
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=command.user,
                group=command.group,
                extra_groups=None if command.user is None else [],
            )
    except OSError as error:
        raise StackError(f"{command.name} could not be started: {error}", command.log) from error
    birth = birth_of(child.pid)
    _children[child.pid, birth] = child
    return ProcessRecord(command.name, child.pid, birth, time.time(), str(command.log), command.stop_signal)


def run_to_end(command: Command, what: str, timeout_seconds: float = 300.0) -> None:
    """Run a command that ends by itself; raises StackError with its log when it fails or takes too long."""
    finish(spawn(command), what, timeout_seconds)


def finish(record: ProcessRecord, what: str, timeout_seconds: float = 300.0) -> None:
    """Wait for a child of ours to end by itself; raises StackError with its log when it fails or takes too long.

    An interruption of the wait ends the child, too.
    """
    try:
        wait_for(what, lambda: not record.is_alive(), (), timeout_seconds)
        code = record.exit_code()
    finally:
        stop([record], grace_seconds=2.0)
    if code != 0:
        raise StackError(f"{what} failed with exit code {code}", Path(record.log))


def stop(records: Iterable[ProcessRecord], grace_seconds: float = 10.0) -> None:
    """End processes by id, politely first; after the grace period everything left in their sessions is killed."""
    records = list(records)
    sessions = {record.pid: _session_members(record) for record in records}
    for record in records:
        _signal(_find(record), record.stop_signal)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(record.is_alive() for record in records):
        time.sleep(POLL_SECONDS)
    for record in records:
        for process in {*sessions[record.pid], *_session_members(record)}:
            _signal(process, signal.SIGKILL)
    _reap(records)


def wait_for(
    what: str,
    condition: Callable[[], bool],
    watched: Iterable[ProcessRecord] = (),
    timeout_seconds: float = 60.0,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Wait until the condition holds.

    Raises StackError when it doesn't in time, or when a watched process ends first, with the log of the first one.
    """
    watched = list(watched)
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        raise_if_ended(watched)
        if time.monotonic() > deadline:
            log = Path(watched[0].log) if watched and watched[0].log else None
            raise StackError(f"{what} took longer than {timeout_seconds:.0f} s", log)
        time.sleep(poll_seconds)


def raise_if_ended(records: Iterable[ProcessRecord]) -> None:
    """Raise StackError naming the first of these processes that no longer runs."""
    for record in records:
        if not record.is_alive():
            code = record.exit_code()
            how = "ended" if code is None else f"ended with exit code {code}"
            raise StackError(f"{record.name} {how}", Path(record.log) if record.log else None)


@contextmanager
def blaming_ended(records: Sequence[ProcessRecord]) -> Iterator[None]:
    """Where the block fails because a component has ended, raise the StackError about that component instead."""
    try:
        yield
    except StackError as error:
        try:
            raise_if_ended(records)
        except StackError as cause:
            raise cause from error
        raise


def birth_of(pid: int) -> str:
    """Return the mark of when a process began; it outlives a clock that is set, as clocks of resumed machines are.

    Raises psutil.NoSuchProcess when there is no such process.
    """
    try:
        # The 22nd field, counted behind the name, which may hold anything: ticks between the machine's start and this.
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{ticks}"
    except (OSError, IndexError):
        return f"{psutil.Process(pid).create_time():.2f}"


def _find(record: ProcessRecord) -> psutil.Process | None:
    child = _children.get((record.pid, record.birth))
    if child is not None and child.poll() is not None:
        return None
    try:
        process = psutil.Process(record.pid)
        same = birth_of(record.pid) == record.birth
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _session_members(record: ProcessRecord) -> set[psutil.Process]:
    """Find what still belongs to a component, its leader dead or alive.

    A session outlives its leader, and the leader's pid is not given out again while the session has members.
    """
    try:
        if birth_of(record.pid) != record.birth:
            return set()
    except psutil.NoSuchProcess:
        pass
    members = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == record.pid:
                members.add(process)
    return members


def _signal(process: psutil.Process | None, number: int) -> None:
    if process is not None and process.pid != os.getpid():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _reap(records: Iterable[ProcessRecord]) -> None:
    for record in records:
        child = _children.pop((record.pid, record.birth), None)
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5)
