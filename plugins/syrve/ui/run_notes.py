"""Writes one sentence on the note of every run of the provider's DAGs when it ends, manual or scheduled.

A listener, since it is called where Airflow ends a run, in the scheduler, with the run's row at hand: it needs no connection, user or
password. It reads what the tasks left in XComs and calls no other service; if it fails, only the log shows it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

OWN_DAGS = "syrve_"
"""Runs of these have a note even if no task left any words, such as where the first one failed."""
NOTHING_REPORTED = "Done; its log says what it did."


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:  # noqa: ARG001 - as Airflow calls it
    """Write what the run did."""
    write_note(dag_run, has_failed=False)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:  # noqa: ARG001
    """Write which tasks failed, and what the run had done until then."""
    write_note(dag_run, has_failed=True)


def write_note(dag_run: DagRun, *, has_failed: bool) -> None:
    """Put the sentence on the run's note, after what people wrote there; of runs that are not ours nothing."""
    from sqlalchemy.orm import object_session

    from syrve.hooks.run_note import has_progress, with_result
    from syrve.reports.run_words import as_sentence, format_failure, plain_words

    session = object_session(dag_run)
    if session is None:
        return
    with session.no_autoflush:
        left = _words(session, dag_run)
        done = plain_words(left.get("text"))
        if not left and not dag_run.dag_id.startswith(OWN_DAGS):
            return
        note = dag_run.note or ""
        if has_failed:
            text = format_failure(_failed_tasks(session, dag_run), done)
        elif done or not has_progress(note):
            text = as_sentence(done, NOTHING_REPORTED)
        else:
            return
        written = with_result(note, text + (_link_to_rejects() if left.get("rejected") else ""))
        if written != note:
            dag_run.note = written


def _words(session: Session, dag_run: DagRun) -> Mapping[str, Any]:
    """Return what the newest task left. Other users can write an XCom: a long one is not read, and none is made an object of a class."""
    from airflow.models.xcom import XComModel
    from sqlalchemy import Text, cast, func, select

    from syrve.reports.run_words import MAX_WORDS_LENGTH, RUN_WORDS_KEY

    query = (
        select(XComModel.value)
        .where(XComModel.dag_run_id == dag_run.id, XComModel.key == RUN_WORDS_KEY)
        .where(func.length(cast(XComModel.value, Text)) < 2 * MAX_WORDS_LENGTH)
        .order_by(XComModel.timestamp.desc())
        .limit(1)
    )
    value = session.scalar(query)
    return value if isinstance(value, dict) else {}


def _failed_tasks(session: Session, dag_run: DagRun) -> dict[str, int]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import func, select

    query = (
        select(TaskInstance.task_id, func.count())
        .where(TaskInstance.dag_id == dag_run.dag_id, TaskInstance.run_id == dag_run.run_id)
        .where(TaskInstance.state == TaskInstanceState.FAILED)
        .group_by(TaskInstance.task_id)
        .order_by(func.min(TaskInstance.end_date), TaskInstance.task_id)
    )
    return {task_id: int(count) for task_id, count in session.execute(query)}


def _link_to_rejects() -> str:
    from airflow.configuration import conf

    from syrve.ui.plugin import URL_PREFIX

    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f" [See the rejects]({base}{URL_PREFIX}/rejects)"
