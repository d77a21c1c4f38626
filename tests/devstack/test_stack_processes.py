"""Starting, recognising and ending processes."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from devstack.errors import StackError
from devstack.processes import (
    Command,
    ProcessRecord,
    birth_of,
    blaming_ended,
    finish,
    raise_if_ended,
    run_to_end,
    spawn,
    stop,
    wait_for,
)


def python(tmp_path: Path, code: str, name: str = "worker") -> Command:
    return Command(name, [sys.executable, "-c", code], dict(os.environ), tmp_path / f"{name}.log", tmp_path)


def wait_until_said(log: Path, text: str) -> None:
    wait_for(f"seeing {text}", lambda: log.exists() and text in log.read_text(), timeout_seconds=20)


SLEEP = "import time; print('ready', flush=True); time.sleep(60)"


def test_a_started_process_is_alive_until_it_is_stopped(tmp_path: Path) -> None:
    record = spawn(python(tmp_path, SLEEP))
    assert record.is_alive()
    stop([record])
    assert not record.is_alive()


def test_a_process_that_took_over_the_pid_of_ours_is_neither_ours_nor_touched(tmp_path: Path) -> None:
    record = spawn(python(tmp_path, SLEEP))
    impostor = replace(record, birth=birth_of(os.getpid()))
    assert not impostor.is_alive()
    stop([impostor], grace_seconds=0.2)
    assert record.is_alive()
    stop([record])


def test_a_process_is_known_by_a_mark_that_setting_the_clock_does_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = spawn(python(tmp_path, SLEEP))
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: 12345.0)
    assert record.is_alive()
    stop([record])


def test_a_process_that_is_not_there_has_no_mark() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(psutil.NoSuchProcess):
        birth_of(gone.pid)


def test_a_dead_child_that_nobody_asked_for_is_not_alive(tmp_path: Path) -> None:
    record = spawn(python(tmp_path, "raise SystemExit(7)"))
    wait_for("the end", lambda: not record.is_alive(), timeout_seconds=20)
    assert record.exit_code() == 7
    stop([record])


def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
    record = spawn(python(tmp_path, stubborn))
    wait_until_said(Path(record.log), "ready")
    stop([record], grace_seconds=0.3)
    assert not record.is_alive()


def test_what_a_component_started_ends_with_it_even_when_it_moved_to_a_group_of_its_own(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], process_group=0)\n"
        "print('child', child.pid, flush=True); time.sleep(60)"
    )
    record = spawn(python(tmp_path, code))
    wait_until_said(Path(record.log), "ready")
    child = psutil.Process(int(Path(record.log).read_text().split("child ")[1].split()[0]))
    os.kill(record.pid, signal.SIGKILL)
    wait_for("the end of the leader", lambda: not record.is_alive(), timeout_seconds=20)
    stop([record], grace_seconds=0.2)
    wait_for(
        "the end of the child",
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE,
        timeout_seconds=20,
    )


def test_each_component_gets_the_signal_that_it_understands(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: (print('interrupted', flush=True), sys.exit(0)))\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('terminated', flush=True), sys.exit(0)))\n" + SLEEP
    )
    record = spawn(replace(python(tmp_path, code), stop_signal=signal.SIGINT))
    wait_until_said(Path(record.log), "ready")
    stop([record])
    assert Path(record.log).read_text().split() == ["ready", "interrupted"]


def test_a_command_that_is_not_there_is_said_with_its_name(tmp_path: Path) -> None:
    missing = Command("ghost", [str(tmp_path / "no-such-program")], {}, tmp_path / "ghost.log", tmp_path)
    with pytest.raises(StackError, match="ghost could not be started"):
        spawn(missing)


def test_a_job_that_fails_is_reported_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="Migrating failed with exit code 3") as caught:
        run_to_end(python(tmp_path, "print('no luck'); raise SystemExit(3)"), "Migrating")
    assert caught.value.log is not None
    assert caught.value.log.read_text() == "no luck\n"


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    record = spawn(python(tmp_path, SLEEP))
    with pytest.raises(StackError, match="Migrating took longer than 0 s"):
        finish(record, "Migrating", timeout_seconds=0.2)
    assert not record.is_alive()


def test_waiting_ends_at_once_when_a_watched_component_ends(tmp_path: Path) -> None:
    record = spawn(python(tmp_path, "raise SystemExit(2)", name="scheduler"))
    began = time.monotonic()
    with pytest.raises(StackError, match="scheduler ended with exit code 2"):
        wait_for("Starting", lambda: False, [record], timeout_seconds=60)
    assert time.monotonic() - began < 30
    stop([record])


def test_an_error_that_follows_from_a_components_end_is_said_to_be_that(tmp_path: Path) -> None:
    record = spawn(python(tmp_path, "raise SystemExit(1)", name="postgres"))
    wait_for("the end", lambda: not record.is_alive(), timeout_seconds=20)
    with pytest.raises(StackError, match="postgres ended"), blaming_ended([record]):
        raise StackError("the warehouse could not be read")
    stop([record])


def test_an_error_with_all_components_at_work_stays_what_it_is() -> None:
    with pytest.raises(StackError, match="DAG failed"), blaming_ended([ProcessRecord.of_this_process("self")]):
        raise StackError("DAG failed")


def test_stopping_never_ends_the_caller_itself() -> None:
    stop([ProcessRecord.of_this_process("self")], grace_seconds=0.1)
    raise_if_ended([ProcessRecord.of_this_process("self")])


def test_a_record_tells_this_process_from_one_that_has_ended() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert ProcessRecord.of_this_process("self").is_alive()
    assert not ProcessRecord("gone", gone.pid, birth_of(os.getpid())).is_alive()
