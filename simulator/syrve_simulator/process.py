"""A simulator in a separate process, for tests, the demo and benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from syrve_simulator.control import SimulatorControl
from syrve_simulator.options import Options

_DEFAULTS = Options()
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class SimulatorFailedError(RuntimeError):
    """The simulator did not start; carries what it wrote."""


class SimulatorProcess:
    """A running simulator: `url` for the connection, `control` to turn it, `pid`; stops when the `with` block ends.

    It also ends when this process does, however that happens: it watches its standard input.
    """

    def __init__(self, process: subprocess.Popen[bytes], url: str, directory: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._directory = directory
        self._output: str | None = None
        self.url = url
        self.control = SimulatorControl(url)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """What it wrote to its standard output and error."""
        return _read_output(self._directory) if self._output is None else self._output

    def stop(self) -> int:
        """Ask it to stop, wait, and return its exit status; a second call does nothing more."""
        self._process.terminate()
        return self._wait()

    def kill(self) -> None:
        """End it without warning, as a crash would."""
        self._process.kill()
        self._wait()

    def _wait(self) -> int:
        try:
            status = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if self._output is None:
            self._output = _read_output(self._directory)
            self._directory.cleanup()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self.control.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_simulator(
    *,
    customers: int = 2000,
    seed: int = 1,
    organizations: int = 2,
    dialect: str = "reference",
    api_login: str = _DEFAULTS.api_login,
    api_key: str = _DEFAULTS.api_key,
    app_id: str = _DEFAULTS.app_id,
    client_secret: str = _DEFAULTS.client_secret,
    token_lifetime_seconds: float = 3600,
    latency_ms: float = 0,
    faults: Sequence[Mapping[str, object]] = (),
    lookup_log: bool = True,
    record_requests: bool = False,
    port: int = 0,
) -> SimulatorProcess:
    """Start a simulator on loopback, wait until it is healthy and return it; use it in a `with` block.

    Raises SimulatorFailedError when it ends instead, or is not healthy within 30 seconds.
    """
    directory = tempfile.TemporaryDirectory(prefix="syrve-simulator-")
    folder = Path(directory.name)
    options: dict[str, object] = {
        "port": port,
        "port-file": folder / "port",
        "customers": customers,
        "seed": seed,
        "organizations": organizations,
        "dialect": dialect,
        "api-login": api_login,
        "api-key": api_key,
        "app-id": app_id,
        "client-secret": client_secret,
        "token-lifetime-seconds": token_lifetime_seconds,
        "latency-ms": latency_ms,
    }
    if faults:
        options["faults"] = folder / "faults.json"
        (folder / "faults.json").write_text(json.dumps(list(faults)))
    flags = ["--stop-with-stdin"]
    flags += [] if lookup_log else ["--no-lookup-log"]
    flags += ["--record-requests"] if record_requests else []
    process = _start([*flags, *(f"--{name}={value}" for name, value in options.items())], folder / "output")
    simulator = SimulatorProcess(process, f"http://127.0.0.1:{_await_port(process, directory)}", directory)
    simulator.control.health()
    return simulator


def _start(arguments: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "syrve_simulator", *arguments]
    with output.open("wb") as written:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=written, stderr=subprocess.STDOUT)  # noqa: S603


def _await_port(process: subprocess.Popen[bytes], directory: tempfile.TemporaryDirectory[str]) -> int:
    port_file = Path(directory.name) / "port"
    deadline = time.monotonic() + _START_SECONDS
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.communicate()
            written = _read_output(directory)
            directory.cleanup()
            raise SimulatorFailedError(f"The simulator did not start: {written}")
        time.sleep(0.01)
    return int(port_file.read_text())


def _read_output(directory: tempfile.TemporaryDirectory[str]) -> str:
    return (Path(directory.name) / "output").read_text(errors="replace")
