"""`make run`: what it refuses, what it shows, and how several share a stack."""

import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from devstack import environments
from devstack import run as run_module
from devstack.airflow_api import AirflowApi, TaskState
from devstack.console import Teller
from devstack.environments import StackPaths
from devstack.errors import StackError
from devstack.processes import ProcessRecord
from devstack.purposes import RUN, UP, Purpose
from devstack.run import TaskChanges, check_conf_keys, parse_conf, run
from devstack.stack import Stack
from devstack.state import StackState
from fixtures.stack_fakes import FakeAirflow, dag

ME = ProcessRecord.of_this_process("dag-processor")
OTHER = ProcessRecord("another run", ME.pid, ME.birth)
GONE = ProcessRecord("killed run", ME.pid, "another birth")


class FakeStack(Stack):
    """A stack without processes: it is up when its state says so."""

    def __init__(self, tmp_path: Path, airflow: FakeAirflow, environ: Mapping[str, str] | None = None) -> None:
        dags = tmp_path / "dags"
        dags.mkdir(exist_ok=True)
        (dags / "d.py").write_text("")
        self.output = io.StringIO()
        self.airflow = airflow
        self.events: list[str] = []
        teller = Teller(Console(file=self.output, width=200))
        super().__init__(StackPaths(tmp_path, tmp_path / "stack" / "up", dags), environ or {}, teller.say)
        self.teller = teller

    def api(self, state: StackState) -> AirflowApi:
        return self.airflow

    def bring_up(self, purpose: Purpose) -> StackState:
        self.events.append(f"up for {purpose.name}")
        return self.put(purpose.name)

    def put(self, purpose: str, users: list[ProcessRecord] | None = None, status: str = "up") -> StackState:
        fingerprint = environments.connections_fingerprint(self.environ, self.secrets)
        state = StackState(purpose, ME, status, [ME], connections_fingerprint=fingerprint, users=users or [])
        state.save(self.paths.state)
        return state

    def take_down(self, state: StackState, grace_seconds: float = 10.0) -> None:
        self.events.append("down")
        self.paths.state.unlink(missing_ok=True)


@pytest.fixture
def airflow() -> FakeAirflow:
    fake = FakeAirflow()
    fake.dags["d"] = dag("d")
    return fake


@pytest.fixture
def stack(tmp_path: Path, airflow: FakeAirflow) -> FakeStack:
    return FakeStack(tmp_path, airflow)


def test_a_stack_brought_up_for_the_run_goes_down_with_it(stack: FakeStack, airflow: FakeAirflow) -> None:
    assert run(stack, stack.teller, "d", '{"force": true}') == 0
    assert stack.events == ["up for run", "down"]
    assert [(dag_id, conf) for dag_id, _, conf in airflow.triggered] == [("d", {"force": True})]


def test_a_stack_that_is_up_is_used_and_stays(stack: FakeStack) -> None:
    stack.put(UP.name)
    assert run(stack, stack.teller, "d", "{}") == 0
    assert stack.events == []
    state = stack.load()
    assert state is not None
    assert state.users == []


def test_a_stack_that_another_run_still_uses_is_left_to_that_one(stack: FakeStack) -> None:
    stack.put(RUN.name, users=[OTHER, GONE])
    assert run(stack, stack.teller, "d", "{}") == 0
    assert stack.events == []
    state = stack.load()
    assert state is not None
    assert state.users == [OTHER]


def test_a_stack_whose_other_users_were_killed_goes_down_with_the_last(stack: FakeStack) -> None:
    stack.put(RUN.name, users=[GONE])
    assert run(stack, stack.teller, "d", "{}") == 0
    assert stack.events == ["down"]


def test_a_stack_that_somebody_stopped_during_the_run_is_not_stopped_again(
    stack: FakeStack, airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.put(UP.name)

    def stopped_meanwhile(*_: object) -> str:
        stack.paths.state.unlink()
        return "success"

    monkeypatch.setattr(run_module, "follow", stopped_meanwhile)
    assert run(stack, stack.teller, "d", "{}") == 0
    assert stack.events == []


def test_a_run_that_fails_because_the_stack_was_stopped_says_so(
    stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.put(UP.name)

    def stopped_meanwhile(*_: object) -> str:
        stack.paths.state.unlink()
        raise StackError("api-server could not be asked")

    monkeypatch.setattr(run_module, "follow", stopped_meanwhile)
    with pytest.raises(StackError, match="was stopped during the run, by `make down`"):
        run(stack, stack.teller, "d", "{}")


def test_what_a_killed_start_left_behind_is_ended_first(stack: FakeStack) -> None:
    stack.put(RUN.name, status="starting")
    assert run(stack, stack.teller, "d", "{}") == 0
    assert stack.events == ["down", "up for run", "down"]


def test_a_stack_that_lost_a_component_is_not_used(stack: FakeStack) -> None:
    state = stack.put(UP.name)
    state.components.append(ProcessRecord("scheduler", GONE.pid, GONE.birth))
    state.save(stack.paths.state)
    with pytest.raises(StackError, match="has lost scheduler: `make up` mends it"):
        run(stack, stack.teller, "d", "{}")


def test_another_account_than_the_stack_was_started_with_is_refused(stack: FakeStack, tmp_path: Path) -> None:
    stack.put(UP.name)
    other = FakeStack(tmp_path, stack.airflow, {"AIRFLOW_CONN_SYRVE_DEFAULT": "another-account"})
    with pytest.raises(StackError, match="is not what it was when the stack was started"):
        run(other, other.teller, "d", "{}")
    assert stack.airflow.triggered == []


def test_a_failed_run_is_a_failed_command_that_shows_which_task(stack: FakeStack, airflow: FakeAirflow) -> None:
    airflow.outcome = "failed"
    airflow.looks = [[TaskState("pull", 1, "failed", 1)]]
    assert run(stack, stack.teller, "d", "{}") == 1
    assert "task pull[1] failed; its log is" in stack.output.getvalue()


def test_a_run_that_nobody_waits_for_any_more_is_cancelled(
    stack: FakeStack, airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "follow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(stack, stack.teller, "d", "{}")
    assert airflow.cancelled == [airflow.triggered[0][1]]
    assert stack.events == ["up for run", "down"]


def test_a_paused_dag_is_unpaused_for_the_run_and_paused_again(stack: FakeStack, airflow: FakeAirflow) -> None:
    airflow.dags["d"] = dag("d", paused=True)
    run(stack, stack.teller, "d", "{}")
    assert airflow.paused == [("d", False), ("d", True)]


def test_a_dag_that_was_not_paused_is_left_alone(stack: FakeStack, airflow: FakeAirflow) -> None:
    run(stack, stack.teller, "d", "{}")
    assert airflow.paused == []


def test_a_dag_unpaused_by_a_run_that_goes_on_stays_so_until_that_one_ends(
    stack: FakeStack, airflow: FakeAirflow
) -> None:
    state = stack.put(UP.name, users=[OTHER])
    state.unpaused = {"d": [GONE, OTHER]}
    state.save(stack.paths.state)
    run(stack, stack.teller, "d", "{}")
    assert airflow.paused == []
    left = stack.load()
    assert left is not None
    assert left.unpaused == {"d": [OTHER]}


def test_the_last_of_several_runs_pauses_the_dag_that_the_first_unpaused(
    stack: FakeStack, airflow: FakeAirflow
) -> None:
    state = stack.put(UP.name)
    state.unpaused = {"d": [GONE]}
    state.save(stack.paths.state)
    run(stack, stack.teller, "d", "{}")
    assert airflow.paused == [("d", True)]


def test_an_unknown_dag_and_bad_conf_are_refused_before_anything_starts(stack: FakeStack) -> None:
    with pytest.raises(StackError, match="no DAG 'nope'"):
        run(stack, stack.teller, "nope", "{}")
    with pytest.raises(StackError, match="CONF is not JSON"):
        run(stack, stack.teller, "d", "{force: true}")
    with pytest.raises(StackError, match="Which DAG"):
        run(stack, stack.teller, "", "{}")
    assert stack.events == []


def test_conf_is_a_json_object_or_nothing() -> None:
    assert parse_conf('{"a": [1]}') == {"a": [1]}
    assert parse_conf("") == {}
    for text in ("[1]", "1", "null", '"x"'):
        with pytest.raises(StackError, match="must be a JSON object"):
            parse_conf(text)


def test_only_news_about_tasks_are_told() -> None:
    changes = TaskChanges()
    assert changes.since_last([TaskState("pull", 0, None, 0)]) == []
    assert [line.split() for line in changes.since_last([TaskState("pull", 0, "running", 1)])] == [
        ["pull[0]", "running"]
    ]
    assert changes.since_last([TaskState("pull", 0, "running", 1)]) == []
    again = changes.since_last([TaskState("pull", 0, "running", 2)])
    assert [line.split(maxsplit=1)[1] for line in again] == ["running (try 2)"]


def test_unknown_key_of_conf_is_refused_with_what_was_meant() -> None:
    known = ["force", "organization_ids"]

    check_conf_keys("d", {"organization_ids": [], "force": True}, known)
    with pytest.raises(StackError, match=r"d knows no organisation_ids in CONF\. Did you mean organization_ids\?"):
        check_conf_keys("d", {"organisation_ids": []}, known)


def test_run_with_an_unknown_key_of_conf_does_not_start(stack: FakeStack, airflow: FakeAirflow) -> None:
    airflow.known_keys = ["force"]

    with pytest.raises(StackError, match="It may have: force"):
        run(stack, stack.teller, "d", '{"limit": 1}')

    assert airflow.triggered == []
