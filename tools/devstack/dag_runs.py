"""Starts DAG runs through Airflow's API and follows them to their end."""

import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devstack.airflow_api import FAILED_TASK_STATES, FINAL_RUN_STATES, FINAL_TASK_STATES, AirflowApi, DagInfo, TaskState
from devstack.errors import StackError
from devstack.processes import ProcessRecord, raise_if_ended
from devstack.task_logs import last_lines, task_log_path

PARSE_TIMEOUT_SECONDS = 90.0
POLL_SECONDS = 0.3


@dataclass(frozen=True)
class DagRun:
    """One run of one DAG."""

    dag_id: str
    run_id: str


def new_run_id() -> str:
    """Return a run id that no other run has."""
    return f"make__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}__{uuid.uuid4().hex[:8]}"


def find_dag_files(dags: Path, dag_id: str) -> list[Path]:
    """Return the files that may define a DAG: the one of its name (the rule here), else those that mention its id."""
    named = dags / f"{dag_id}.py"
    if named.exists():
        return [named]
    mention = re.compile(rf"\b{re.escape(dag_id)}\b")
    return [file for file in sorted(dags.rglob("*.py")) if mention.search(file.read_text(errors="replace"))]


def unknown_dag(dags: Path, dag_id: str) -> StackError:
    """Return the error that says which DAGs there are."""
    known = ", ".join(sorted(file.stem for file in dags.glob("*.py") if not file.name.startswith("_")))
    return StackError(f"There is no DAG {dag_id!r} in {dags}. There are: {known or 'none'}")


def wait_until_parsed(api: AirflowApi, dags: Path, dag_id: str, not_before: float) -> DagInfo:
    """Wait until Airflow has read the DAG's present file; `not_before` is in seconds since the epoch.

    Raises StackError when the file can't be imported, defines no such DAG, or is not read in time.
    """
    files = find_dag_files(dags, dag_id)
    if not files:
        raise unknown_dag(dags, dag_id)
    since = max([not_before, *(file.stat().st_mtime for file in files)])
    deadline = time.monotonic() + PARSE_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        dag = api.dag(dag_id)
        if dag is not None and not dag.is_stale and not dag.has_import_errors and dag.parsed_at >= since:
            return dag
        for failure in api.import_failures():
            if failure.at >= since and any(Path(failure.file).name == file.name for file in files):
                raise StackError(f"The DAG file {failure.file} can't be imported:\n{failure.trace.strip()}")
        time.sleep(POLL_SECONDS)
    where = ", ".join(str(file) for file in files)
    raise StackError(f"Airflow found no DAG {dag_id!r} in {where} within {PARSE_TIMEOUT_SECONDS:.0f} s")


def start_run(api: AirflowApi, dag_id: str, conf: dict[str, Any]) -> DagRun:
    """Trigger a run; the DAG must be unpaused for it to leave the queue."""
    run = DagRun(dag_id, new_run_id())
    api.trigger(run.dag_id, run.run_id, conf)
    return run


def follow(
    api: AirflowApi,
    run: DagRun,
    components: Sequence[ProcessRecord],
    show: Callable[[list[TaskState]], None],
    timeout_seconds: float | None = None,
) -> str:
    """Follow a run to its end, showing its tasks at every look; returns its final state.

    Raises StackError when a component of the stack ends before that, or when the run takes too long.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        tasks = api.tasks(run.dag_id, run.run_id)
        show(tasks)
        # While a task is under way the run is, too: one question less at every look.
        if all(task.state in FINAL_TASK_STATES for task in tasks):
            state = api.run_state(run.dag_id, run.run_id)
            if state in FINAL_RUN_STATES:
                return state
        raise_if_ended(components)
        if deadline is not None and time.monotonic() > deadline:
            raise StackError(f"The run {run.run_id} of {run.dag_id} took longer than {timeout_seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def describe_failure(airflow_home: Path, run: DagRun, tasks: Sequence[TaskState]) -> list[str]:
    """Say which tasks of a failed run failed, with the path and the last lines of each one's log."""
    lines = [f"{run.dag_id} failed (run {run.run_id})"]
    for task in tasks:
        if task.state not in FAILED_TASK_STATES:
            continue
        if task.state == "upstream_failed":
            lines.append(f"task {task.label} did not run, because one before it failed")
            continue
        log = task_log_path(airflow_home, run.dag_id, run.run_id, task)
        lines += [f"task {task.label} failed; its log is {log}, and ends:", *(f"    {x}" for x in last_lines(log))]
    return lines
