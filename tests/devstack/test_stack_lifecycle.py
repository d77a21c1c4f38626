"""`make up`, `down`, `status` and `clean`; ports, signals and commands."""

import io
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from devstack import cli, components, lifecycle, ports, signals
from devstack.airflow_api import AirflowApi
from devstack.console import Teller
from devstack.environments import StackPaths
from devstack.errors import StackError
from devstack.processes import ProcessRecord
from devstack.purposes import DEMO, RUN, UP, Purpose
from devstack.signals import Interrupted, held_back, raise_on_interruption
from devstack.stack import Stack
from devstack.state import StackState
from fixtures.stack_fakes import FakeAirflow, dag

ME = ProcessRecord.of_this_process("scheduler")
GONE = ProcessRecord("postgres", ME.pid, "another birth")


class QuietStack(Stack):
    """A stack that notes down what it would start and stop."""

    events: list[str]
    airflow: FakeAirflow

    def api(self, state: StackState) -> AirflowApi:
        return self.airflow

    def bring_up(self, purpose: Purpose) -> StackState:
        self.events.append(f"up for {purpose.name}")
        return self.put(purpose.name, [ME])

    def take_down(self, state: StackState, grace_seconds: float = 10.0) -> None:
        self.events.append(f"down {state.purpose}")
        self.paths.state.unlink(missing_ok=True)

    def put(self, purpose: str, processes: list[ProcessRecord], starter: ProcessRecord = GONE) -> StackState:
        state = StackState(purpose, starter, "up", processes, "http://127.0.0.1:8080", "http://127.0.0.1:9")
        assert self.secrets
        state.save(self.paths.state)
        return state


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def teller(output: io.StringIO) -> Teller:
    return Teller(Console(file=output, width=200))


def make_stack(tmp_path: Path, name: str, teller: Teller) -> QuietStack:
    stack = QuietStack(StackPaths(tmp_path, tmp_path / "stack" / name, tmp_path / "dags"), {}, teller.say)
    stack.events, stack.airflow = [], FakeAirflow()
    return stack


@pytest.fixture
def up_stack(tmp_path: Path, teller: Teller) -> QuietStack:
    return make_stack(tmp_path, "up", teller)


@pytest.fixture
def demo_stack(tmp_path: Path, teller: Teller) -> QuietStack:
    return make_stack(tmp_path, "demo", teller)


def test_up_tells_address_user_password_and_how_to_stop(
    up_stack: QuietStack, teller: Teller, output: io.StringIO
) -> None:
    assert lifecycle.up(up_stack, teller) == 0
    said = output.getvalue()
    for expected in ("http://127.0.0.1:8080", "admin", up_stack.secrets.admin_password, "make down"):
        assert expected in said


def test_up_twice_starts_once(up_stack: QuietStack, teller: Teller, output: io.StringIO) -> None:
    lifecycle.up(up_stack, teller)
    assert lifecycle.up(up_stack, teller) == 0
    assert up_stack.events == ["up for up"]
    assert "It is up already" in output.getvalue()


def test_up_mends_a_stack_that_lost_a_component(up_stack: QuietStack, teller: Teller) -> None:
    up_stack.put("up", [ME, GONE])
    assert lifecycle.up(up_stack, teller) == 0
    assert up_stack.events == ["down up", "up for up"]


def test_up_waits_for_a_run_that_has_a_stack_of_its_own(
    up_stack: QuietStack, teller: Teller, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = up_stack.put("run", [ME])
    state.users = [ME]
    state.save(up_stack.paths.state)
    monkeypatch.setattr(time, "sleep", lambda _: up_stack.paths.state.unlink())
    assert lifecycle.up(up_stack, teller) == 0
    assert up_stack.events == ["up for up"]
    assert "waiting for it to end" in output.getvalue()


def test_down_stops_whatever_is_left_of_either_stack(
    up_stack: QuietStack, demo_stack: QuietStack, teller: Teller
) -> None:
    up_stack.put("up", [ME, GONE])
    demo_stack.put("demo", [GONE])
    assert lifecycle.down([up_stack, demo_stack], teller) == 0
    assert (up_stack.events, demo_stack.events) == (["down up"], ["down demo"])


def test_down_pauses_what_a_run_that_loses_its_stack_had_unpaused(up_stack: QuietStack, teller: Teller) -> None:
    state = up_stack.put("up", [ME])
    state.users, state.unpaused = [ME], {"d": [ME]}
    state.save(up_stack.paths.state)
    up_stack.airflow.dags["d"] = dag("d")
    assert lifecycle.down([up_stack], teller) == 0
    assert up_stack.airflow.paused == [("d", True)]


def test_what_a_killed_run_had_unpaused_is_remembered_for_the_next_start(up_stack: QuietStack) -> None:
    state = up_stack.put("run", [GONE])
    state.unpaused = {"d": [GONE]}
    state.save(up_stack.paths.state)
    up_stack.remove_leftovers()
    assert up_stack.owed_pauses == ["d"]


def test_down_leaves_a_demo_that_is_at_work_alone(demo_stack: QuietStack, teller: Teller, output: io.StringIO) -> None:
    demo_stack.put("demo", [ME], starter=ME)
    assert lifecycle.down([demo_stack], teller) == 0
    assert demo_stack.events == []
    assert "stops by itself" in output.getvalue()


def test_down_with_nothing_up_says_so_and_leaves_no_trace(
    up_stack: QuietStack, teller: Teller, output: io.StringIO
) -> None:
    assert lifecycle.down([up_stack], teller) == 0
    assert "Nothing is up" in output.getvalue()
    assert not up_stack.paths.directory.exists()


def test_status_tells_a_whole_stack_from_a_broken_one(
    up_stack: QuietStack, teller: Teller, output: io.StringIO
) -> None:
    up_stack.put("up", [ME])
    assert lifecycle.status([up_stack], teller) == 0
    up_stack.put("up", [ME, GONE])
    assert lifecycle.status([up_stack], teller) == 3
    assert "ended" in output.getvalue()


def test_clean_stops_and_removes_everything(up_stack: QuietStack, teller: Teller) -> None:
    up_stack.put("up", [ME])
    assert lifecycle.clean([up_stack], teller) == 0
    assert up_stack.events == ["down up"]
    assert not up_stack.paths.directory.exists()


def test_only_the_stack_that_stays_up_has_a_triggerer_and_follows_schedules() -> None:
    assert [p.name for p in (DEMO, RUN, UP) if "triggerer" in p.components] == ["up"]
    assert [p.name for p in (DEMO, RUN, UP) if p.airflow.follow_schedules] == ["up"]
    assert [p.name for p in (DEMO, RUN, UP) if p.uses_own_connections] == ["run", "up"]


def test_no_component_opens_a_log_server_for_the_network() -> None:
    assert all("--skip-serve-logs" in components.AIRFLOW_COMPONENTS[name] for name in ("scheduler", "triggerer"))


def test_components_are_started_by_the_interpreter_and_not_by_a_script(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path, tmp_path / "stack", tmp_path / "dags")
    for name in components.AIRFLOW_COMPONENTS:
        command = components.airflow_command(paths, name, {})
        assert list(command.argv[:3]) == [sys.executable, "-m", "airflow"]
        assert command.log == paths.log(name)


def test_airflow_counts_as_up_only_by_signs_of_life_since_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    class Beating(FakeAirflow):
        def heartbeats(self) -> dict[str, float]:
            return {"scheduler": ME.started_at - 60}

    monkeypatch.setattr(components, "AIRFLOW_START_TIMEOUT_SECONDS", 0.0)
    with pytest.raises(StackError, match="No sign of life of scheduler"):
        components.wait_for_airflow(Beating(), [ME])


def test_a_port_in_use_is_passed_over_on_any_address() -> None:
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.socket() as busy:
            busy.bind((address, 0))
            busy.listen()
            taken = busy.getsockname()[1]
            assert not ports.is_free(taken)
            assert ports.free_port([taken]) != taken


def test_a_requested_port_that_is_free_is_taken() -> None:
    requested = ports.free_port()
    assert ports.free_port([requested]) == requested


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """The signal handlers and the umask of a command, and afterwards the session's again."""
    mask = os.umask(0o022)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in signals.INTERRUPTIONS}
    raise_on_interruption()
    yield
    os.umask(mask)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_handlers")
def test_an_interruption_that_the_caller_switched_off_stays_off() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise_on_interruption()
    with held_back():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.usefixtures("own_handlers")
@pytest.mark.parametrize("number", signals.INTERRUPTIONS)
def test_every_interruption_becomes_one_exception(number: signal.Signals) -> None:
    with pytest.raises(Interrupted) as caught:
        signal.raise_signal(number)
    assert caught.value.number == number


@pytest.mark.usefixtures("own_handlers")
def test_an_interruption_waits_until_what_must_not_be_cut_is_done() -> None:
    done = []

    def work() -> None:
        with held_back():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("all of it")

    with pytest.raises(Interrupted):
        work()
    assert done == ["all of it"]


@pytest.mark.usefixtures("own_handlers")
def test_an_interruption_is_the_exit_code_that_a_shell_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(cli, "_dispatch", interrupted)
    assert cli.main(["up"]) == 130


@pytest.mark.usefixtures("own_handlers")
def test_a_failure_is_a_message_and_a_non_zero_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--stack-directory", str(tmp_path / "stack"), "run", "--dag", "syrve_customers", "--conf", "{"]
    assert cli.main(arguments) == 1
    assert "FAILED: CONF is not JSON" in capsys.readouterr().out
