"""The stack as a command: started, interrupted, killed and used, with real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import ports
from devstack.cli import REPOSITORY
from devstack.environments import StackPaths
from devstack.processes import wait_for
from devstack.purposes import RUN
from devstack.stack import Stack
from devstack.state import StackState

GOOD_DAG = """
from airflow.sdk import DAG, Param, task

with DAG("good", schedule=None, params={"people": Param(1, type="integer")}):

    @task
    def count(params: dict[str, int]) -> list[int]:
        return list(range(params["people"]))

    @task
    def look_up(number: int) -> int:
        return number

    look_up.expand(number=count())
"""
FAILING_DAG = """
from airflow.sdk import DAG, task

with DAG("failing", schedule=None):

    @task
    def break_down() -> None:
        raise ValueError("something that only the log tells")

    break_down()
"""
BROKEN_DAG = "from airflow.sdk import DAG\nimport a_module_that_nobody_has\n"


class Devstack:
    """Runs `python -m devstack` on a stack directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "stack"
        self.dags = directory / "dags"
        self.dags.mkdir()
        for name, code in {"good": GOOD_DAG, "failing": FAILING_DAG, "broken": BROKEN_DAG}.items():
            (self.dags / f"{name}.py").write_text(code)
        self.output = directory / "output"

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "devstack", "--stack-directory", str(self.directory)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW_CONN_SYRVE")}
        environment["PYTHONPATH"] = str(REPOSITORY / "tools")
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [*command, "--dags", str(self.dags), *arguments], env=environment, stdout=output, stderr=output
            )

    def run(self, *arguments: str) -> tuple[int, str]:
        code = self.start(*arguments).wait(timeout=240)
        return code, self.output.read_text()

    def state(self) -> StackState | None:
        return StackState.load(self.directory / "up" / "state.json")

    def wait_for_components(self, *names: str) -> StackState:
        def started() -> bool:
            state = self.state()
            return state is not None and set(names) <= {component.name for component in state.components}

        wait_for(f"the start of {names}", started, timeout_seconds=60)
        state = self.state()
        assert state is not None
        return state


@pytest.fixture
def devstack(tmp_path: Path) -> Iterator[Devstack]:
    stack = Devstack(tmp_path)
    yield stack
    code, output = stack.run("clean")
    assert code == 0, output
    assert not (stack.directory / "up").exists()


def test_an_interrupted_start_leaves_nothing_running(devstack: Devstack) -> None:
    process = devstack.start("up")
    state = devstack.wait_for_components("simulator", "postgres")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert not [component.name for component in state.components if component.is_alive()]
    assert devstack.state() is None


def test_what_a_killed_start_left_running_is_stopped_by_down(devstack: Devstack) -> None:
    process = devstack.start("up")
    state = devstack.wait_for_components("simulator", "postgres")
    process.kill()
    process.wait()
    assert state.components[0].is_alive()
    code, output = devstack.run("down")
    assert (code, "stopped" in output) == (0, True)
    assert not [component.name for component in state.components if component.is_alive()]
    assert devstack.state() is None


def test_a_stack_that_is_up_runs_dags_and_tells_how_they_ended(devstack: Devstack) -> None:
    code, output = devstack.run("up")
    assert code == 0, output
    state = devstack.wait_for_components("triggerer")
    assert state.is_whole()

    code, output = devstack.run("run", "--dag", "good", "--conf", json.dumps({"people": 2}))
    assert code == 0, output
    assert "good: success" in output
    assert "look_up[1]" in output
    assert "paused again" in output

    code, output = devstack.run("run", "--dag", "failing")
    assert code == 1
    assert "task break_down failed; its log is" in output
    assert "ValueError: something that only the log tells" in output

    code, output = devstack.run("run", "--dag", "broken")
    assert code == 1
    assert "No module named 'a_module_that_nobody_has'" in output

    code, output = devstack.run("run", "--dag", "good", "--conf", json.dumps({"people": "two"}))
    assert code == 1
    assert "Invalid input for param people" in output

    code, output = devstack.run("airflow", "dags list --output json")
    assert code == 0, output
    assert '"dag_id": "good"' in output
    assert devstack.run("airflow", "dags no-such-command")[0] != 0

    code, output = devstack.run("down")
    assert code == 0, output
    assert not [component.name for component in state.components if component.is_alive()]
    assert devstack.run("airflow", "dags list") == (1, devstack.output.read_text())
    assert "`make up` starts one" in devstack.output.read_text()


def test_port_that_is_lost_after_its_choice_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dags").mkdir()
    tmp_path.chmod(0o711)
    paths, said = StackPaths(REPOSITORY, tmp_path / "stack", tmp_path / "dags"), list[str]()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_SYRVE")}
    stack = Stack(paths, environ, said.append)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        free, choices = ports.free_port, iter([taken])
        monkeypatch.setattr(ports, "free_port", lambda preferred=(): next(choices, 0) or free(preferred))
        state = stack.bring_up(RUN)
    try:
        assert f"another program has just taken the port of http://127.0.0.1:{taken}: trying another port" in said
        assert not state.api_url.endswith(f":{taken}")
        assert stack.api(state).dag("good") is None
        assert state.is_whole()
    finally:
        stack.take_down(state)
        stack.postgres(durable=True).remove()
