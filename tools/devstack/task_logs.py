"""Finds and reads the logs that Airflow's tasks write."""

import json
from collections import deque
from pathlib import Path

from devstack.airflow_api import TaskState

LAST_LINES = 15
# What Airflow writes for its UI to fold the log by.
NOISE = ("::group::", "::endgroup::")


def task_log_path(airflow_home: Path, dag_id: str, run_id: str, task: TaskState) -> Path:
    """Return where Airflow writes the log of a task's latest try."""
    directory = airflow_home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task.task_id}"
    if task.map_index >= 0:
        directory /= f"map_index={task.map_index}"
    return directory / f"attempt={task.try_number}.log"


def last_lines(path: Path, count: int = LAST_LINES) -> list[str]:
    """Return the last lines of a log as a person would read them; empty when there is no log."""
    try:
        with path.open(errors="replace") as file:
            tail = deque((line for line in file if not any(marker in line for marker in NOISE)), maxlen=count)
    except OSError:
        return []
    return [part for line in tail for part in readable(line.rstrip("\n"))]


def readable(line: str) -> list[str]:
    """Turn one line of a task's log (JSON) into plain lines; any other line stays as it is."""
    try:
        fields = json.loads(line)
        text = f"{fields['timestamp'][11:19]} {fields['level']:<7} {fields['event']}"
        errors = fields.get("error_detail") or []
        return [text, *(f"{'':17}{error['exc_type']}: {error['exc_value']}" for error in errors)]
    except (ValueError, KeyError, TypeError):
        return [line]
