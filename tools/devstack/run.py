"""`make run`: one DAG, once, through the scheduler of the stack that is up, or of one brought up for it."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from devstack import environments
from devstack.airflow_api import ASKING, AirflowApi, TaskState
from devstack.console import Teller
from devstack.dag_runs import (
    DagRun,
    describe_failure,
    find_dag_files,
    follow,
    start_run,
    unknown_dag,
    wait_until_parsed,
)
from devstack.errors import StackError
from devstack.processes import ProcessRecord, blaming_ended
from devstack.purposes import RUN
from devstack.signals import held_back
from devstack.stack import Stack
from devstack.state import StackState


def run(stack: Stack, teller: Teller, dag_id: str, conf_text: str) -> int:
    """Run a DAG and wait for its end; returns 0 for success and 1 for a failed run. Raises StackError otherwise."""
    conf = parse_conf(conf_text)
    if not dag_id:
        raise StackError("Which DAG? Like this: make run DAG=syrve_customers")
    if not find_dag_files(stack.paths.dags, dag_id):
        raise unknown_dag(stack.paths.dags, dag_id)
    me = ProcessRecord.of_this_process("run")
    with _joined(stack, teller, me) as state, blaming_ended(state.components):
        api = stack.api(state)
        processor = next(c for c in state.components if c.name == "dag-processor")
        wait_until_parsed(api, stack.paths.dags, dag_id, processor.started_at)
        check_conf_keys(dag_id, conf, _known_keys(api, dag_id, conf))
        with _unpaused(stack, teller, api, dag_id, me):
            return _run_once(stack, state, teller, api, dag_id, conf)


def parse_conf(text: str) -> dict[str, Any]:
    """Read the run's configuration; raises StackError when it is not a JSON object."""
    try:
        conf = json.loads(text or "{}")
    except ValueError as error:
        raise StackError(f"CONF is not JSON ({error}). Like this: CONF='{{\"force\": true}}'") from error
    if not isinstance(conf, dict):
        raise StackError("CONF must be a JSON object. Like this: CONF='{\"force\": true}'")
    return conf


def check_conf_keys(dag_id: str, conf: Iterable[str], known: Sequence[str]) -> None:
    """Raise StackError that names the keys that the DAG does not know: a misspelt one could widen what the run does."""
    unknown = sorted(set(conf) - set(known))
    if not unknown:
        return
    meant = [found for each in unknown for found in get_close_matches(each, known, n=1)]
    hint = f" Did you mean {', '.join(meant)}?" if meant else ""
    raise StackError(
        f"{dag_id} knows no {', '.join(unknown)} in CONF.{hint} It may have: {', '.join(known) or 'nothing'}"
    )


class TaskChanges:
    """Tells what changed since the last look at a run's tasks."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str | None, int]] = {}

    def since_last(self, tasks: Sequence[TaskState]) -> list[str]:
        """Return a line for every task whose state or try is new."""
        lines = []
        for task in tasks:
            now = (task.state, task.try_number)
            if task.state is not None and self._seen.get(task.label) != now:
                again = f" (try {task.try_number})" if task.try_number > 1 else ""
                lines.append(f"{task.label:<28} {task.state}{again}")
            self._seen[task.label] = now
        return lines


def _run_once(
    stack: Stack, state: StackState, teller: Teller, api: AirflowApi, dag_id: str, conf: dict[str, Any]
) -> int:
    run = start_run(api, dag_id, conf)
    teller.say(f"{dag_id}: run {run.run_id}")
    changes, reported = TaskChanges(), set[str]()

    def show(tasks: list[TaskState]) -> None:
        for line in changes.since_last(tasks):
            teller.say(line)
        for task in tasks:
            if task.state == ASKING and task.label not in reported:
                reported.add(task.label)
                teller.say(
                    f"{task.label} waits for a person: {api.base_url}/dags/{dag_id}/runs/{run.run_id}/required_actions"
                )

    try:
        outcome = follow(api, run, state.components, show)
    except BaseException:
        _cancel(api, run, teller)
        raise
    if outcome == "success":
        teller.say(f"{dag_id}: success")
        return 0
    for line in describe_failure(stack.paths.airflow_home, run, api.tasks(dag_id, run.run_id)):
        teller.plain(line)
    return 1


def _known_keys(api: AirflowApi, dag_id: str, conf: Iterable[str]) -> list[str]:
    """Return the keys that a DAG knows; where Airflow does not say, all count as known, for the run's first task looks too."""
    try:
        return api.conf_keys(dag_id)
    except StackError:
        return list(conf)


def _cancel(api: AirflowApi, run: DagRun, teller: Teller) -> None:
    """End a run that no command waits for any more: it would go on, or start again with the next stack."""
    with held_back(), contextlib.suppress(StackError):
        api.cancel(run.dag_id, run.run_id)
        teller.say(f"{run.dag_id}: run cancelled")


@contextmanager
def _joined(stack: Stack, teller: Teller, me: ProcessRecord) -> Iterator[StackState]:
    """Be one of the users of the stack that is up, or of a new one that goes down with its last user."""
    try:
        with stack.locked():
            state = _usable(stack, teller) or stack.bring_up(RUN)
            state.users.append(me)
            state.save(stack.paths.state)
        try:
            yield state
        except StackError as error:
            if stack.load() is None:
                raise StackError("The stack was stopped during the run, by `make down`") from error
            raise
    finally:
        with held_back(), stack.locked():
            _leave(stack, teller, me)


def _leave(stack: Stack, teller: Teller, me: ProcessRecord) -> None:
    state = stack.load()
    if state is None:
        return
    state.users = [user for user in state.users if user != me and user.is_alive()]
    state.save(stack.paths.state)
    if state.purpose == RUN.name and not state.users:
        stack.take_down(state)
        teller.say("stopped the stack that was brought up for this run")


def _usable(stack: Stack, teller: Teller) -> StackState | None:
    state = stack.load()
    if state is None:
        return None
    state.forget_dead_users()
    if state.is_whole():
        if state.connections_fingerprint != environments.connections_fingerprint(stack.environ, stack.secrets):
            raise StackError(
                "AIRFLOW_CONN_SYRVE_DEFAULT or AIRFLOW_CONN_SYRVE_WAREHOUSE is not what it was when the stack was "
                "started: `make down`, then again"
            )
        teller.say(f"using the stack that is up: {state.api_url}")
        return state
    if state.status == "up" and (state.purpose != RUN.name or state.users):
        raise StackError(f"The stack that is up has lost {', '.join(state.dead_components())}: `make up` mends it")
    stack.remove_leftovers()
    return None


@contextmanager
def _unpaused(stack: Stack, teller: Teller, api: AirflowApi, dag_id: str, me: ProcessRecord) -> Iterator[None]:
    """Have the DAG unpaused; the last of several runs at once leaves it as the first one found it."""
    with stack.locked():
        _unpause(stack, teller, api, dag_id, me)
    try:
        yield
    finally:
        with held_back(), stack.locked(), contextlib.suppress(StackError):
            _pause_again(stack, teller, api, dag_id, me)


def _unpause(stack: Stack, teller: Teller, api: AirflowApi, dag_id: str, me: ProcessRecord) -> None:
    state, dag = stack.load(), api.dag(dag_id)
    if state is None or dag is None:
        raise StackError("The stack was stopped in between")
    if dag.is_paused:
        scheduled = dag.has_schedule and state.purpose != RUN.name
        remark = " (if its schedule is due, Airflow starts that run, too)" if scheduled else ""
        teller.say(f"{dag_id} is paused: unpausing it for this run{remark}")
        api.set_paused(dag_id, paused=False)
    if dag.is_paused or dag_id in state.unpaused:
        state.unpaused.setdefault(dag_id, []).append(me)
        state.save(stack.paths.state)


def _pause_again(stack: Stack, teller: Teller, api: AirflowApi, dag_id: str, me: ProcessRecord) -> None:
    state = stack.load()
    if state is None or me not in state.unpaused.get(dag_id, []):
        return
    others = [user for user in state.unpaused[dag_id] if user != me and user.is_alive()]
    if others:
        state.unpaused[dag_id] = others
    else:
        del state.unpaused[dag_id]
        api.set_paused(dag_id, paused=True)
        teller.say(f"{dag_id} is paused again")
    state.save(stack.paths.state)
