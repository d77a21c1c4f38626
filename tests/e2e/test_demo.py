"""`make demo` as a stranger runs it, but for the installation."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack.cli import REPOSITORY
from e2e_support import wait_until


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="syrve-demo-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start_demo(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "devstack", "--stack-directory", str(home), "demo"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tools"), "COLUMNS": "200"}
    return subprocess.Popen(
        command,
        env=environment,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def output_of(demo: subprocess.Popen[str], timeout_seconds: float) -> str:
    """Wait for the demo's end; one that takes too long is interrupted, so that it leaves nothing running, and fails the test."""
    try:
        return demo.communicate(timeout=timeout_seconds)[0]
    except subprocess.TimeoutExpired:
        demo.send_signal(signal.SIGINT)
        pytest.fail(f"the demo took longer than {timeout_seconds:.0f} s:\n{demo.communicate(timeout=60)[0]}")


def left_running(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        told = " ".join(process.info["cmdline"] or []) + str((process.info["environ"] or {}).get("AIRFLOW_HOME"))
        if str(home) in told and process.pid != os.getpid():
            found.append(told)
    return found


def cells(output: str, row: str) -> list[str]:
    """The cells of the last row of that name."""
    line = [line for line in output.splitlines() if line.strip().startswith(row)][-1]
    return re.split(r"\s{2,}", line.strip())[1:]


@pytest.mark.timeout(960)  # it goes through all jobs; on a machine with other work, Airflow's start alone takes minutes
def test_demo_shows_what_landed_what_a_push_did_and_what_was_flagged_and_released(home: Path) -> None:
    demo = start_demo(home)
    output = output_of(demo, timeout_seconds=840)

    assert demo.returncode == 0, output
    assert cells(output, "syrve.customer ") == ["2,040", "2,040"]
    assert cells(output, "found") == ["2,052", "2,040", "16", "2,040"]
    assert cells(output, "not found") == ["0", "12", "0", "12"]
    assert cells(output, "rejected")[0] != "0"
    assert cells(output, "changed")[-1] == "1"
    assert cells(output, "unchanged")[-1] == "2,039"
    assert cells(output, "a new guest") == ["create", "name, phone, receives_promo", "pushed"]
    assert cells(output, "another name") == ["update", "name", "pushed", "name: crm"]
    assert cells(output, "a category more") == ["memberships", "category", "pushed"]
    assert cells(output, "another phone") == ["nothing", "phone: waits"]
    assert cells(output, "charged_hold_open") == ["critical", "open", "released", "5.00"]
    assert cells(output, "order_failed_hold_open") == ["high", "open", "released", "5.00"]
    assert cells(output, "5  ")[:1] == ["5"], "five guests came by an order, and five are in the mirror"
    assert left_running(home) == []


def test_interrupted_demo_stops_everything_it_started(home: Path) -> None:
    demo = start_demo(home)
    assert demo.stdout is not None
    wait_until(lambda: len(left_running(home)) >= 3, "the demo has started its servers")

    demo.send_signal(signal.SIGINT)
    output = output_of(demo, timeout_seconds=60)

    assert demo.returncode == 128 + signal.SIGINT, output
    assert "interrupted" in output
    wait_until(lambda: left_running(home) == [], "everything has stopped", timeout_seconds=60)
