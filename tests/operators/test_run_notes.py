"""The sentence on a run's note: from the counts in the warehouse, else from the task's result; never a reason to fail."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session

from fixtures.airflow import SetConnection, postgres_fields, task_context
from syrve.operators.run_words import leave_run_words
from syrve.reports.run_words import (
    RUN_WORDS_KEY,
    as_sentence,
    format_failure,
    format_result,
    format_run_counts,
    plain_words,
)
from syrve.ui.run_notes import on_dag_run_failed, on_dag_run_success

RUN_ID = "scheduled__2026-11-28T10:17:00+00:00"
NOW = datetime(2026, 11, 28, 10, 20, tzinfo=UTC)


def context(dag_id: str = "syrve_customers", map_index: int = -1) -> Any:
    return task_context(dag_id, "publish", RUN_ID, map_index) | {"task": SimpleNamespace()}


@pytest.fixture
def counted(emptied_warehouse_dsn: str, set_connection: SetConnection) -> None:
    set_connection("syrve_warehouse", **postgres_fields(emptied_warehouse_dsn))
    connection = psycopg2.connect(emptied_warehouse_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "insert into sync.run (run_id, task, map_index, requested, found, changed, not_found, rejected)"
                " values (%s, 'syrve_customers.pull', 0, 2000, 1990, 1, 10, 3), (%s, 'syrve_customers.pull', 1, 52, 50, 0, 2, 0)",
                (RUN_ID, RUN_ID),
            )
    finally:
        connection.close()


@pytest.mark.usefixtures("counted")
def test_words_of_a_run_add_its_tasks_up() -> None:
    leaving = context()

    leave_run_words(leaving, {"requested": 7})

    told = "2,052 looked up, 1 changed, 12 not found, 3 rejected"
    assert leaving["ti"].pushed == {RUN_WORDS_KEY: {"text": told, "rejected": 3}}


@pytest.mark.usefixtures("counted")
def test_run_without_counts_is_told_by_its_result() -> None:
    leaving = context("syrve_release_holds")

    leave_run_words(leaving, {"released": 2, "kept": 0, "comment": "+79750000001", "is_done": True})

    assert leaving["ti"].pushed[RUN_WORDS_KEY] == {"text": "2 released", "rejected": 0}


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("quiet", [{"map_index": 0}, {"dag_id": "syrve_checks"}], ids=["mapped", "nothing to say"])
def test_task_with_nothing_to_say_leaves_no_words(quiet: dict[str, Any]) -> None:
    leaving = context(**quiet)

    leave_run_words(leaving, None)

    assert leaving["ti"].pushed == {}


def test_task_goes_on_without_a_warehouse(set_connection: SetConnection, caplog: pytest.LogCaptureFixture) -> None:
    set_connection("syrve_warehouse", conn_type="postgres", host="127.0.0.1", port=9, schema="nowhere")
    leaving = context()

    leave_run_words(leaving, {"requested": 7})

    assert leaving["ti"].pushed == {}
    assert "The run's note will not say what it did" in caplog.text


def test_each_dag_has_its_own_words() -> None:
    counts = {"requested": 20, "changed": 17, "not_found": 0, "rejected": 3, "failed": 0, "held_back": 0}

    assert format_run_counts("syrve_roster_import", counts) == "20 read, 17 added or changed, 3 rejected"
    assert format_run_counts("syrve_crm_push", counts) == "20 sent, 17 acknowledged, 3 refused"
    assert as_sentence(format_run_counts("syrve_customers", None), "Nothing.") == "Nothing."
    assert format_result(json.loads('["a", 1]')) == ""


def test_own_words_are_plain() -> None:
    counts = dict.fromkeys(("requested", "changed", "not_found", "rejected", "failed", "held_back"), 1_234)
    planned = "dry run, nothing was written: 2,052 look-ups in 1 organization(s), at least 1 day, 0:01:00 at 60 a minute; longer later"

    for text in (planned, *(format_run_counts(dag_id, counts) for dag_id in ("syrve_crm_push", "syrve_customers"))):
        assert plain_words(text) == text
    assert (
        plain_words(format_result({"partitions_added": 3, "deleted_files": 1})) == "3 partitions added, 1 deleted files"
    )


def test_failure_names_three_tasks_and_counts_the_rest() -> None:
    assert format_failure({"pull": 2}, "5 looked up") == "Failed at pull (2 tasks), see the log; 5 looked up."
    assert format_failure(dict.fromkeys("abcde", 1), "") == "Failed at a, b, c and 2 more, see the log."
    assert format_failure({}, "") == "Failed."


@pytest.fixture
def metadata() -> Iterator[Session]:
    import_all_models()  # type: ignore[no-untyped-call]  # so it is in Airflow
    engine = create_engine("sqlite://")
    tables = [
        Base.metadata.tables[name] for name in ("log_template", "dag_run", "dag_run_note", "xcom", "task_instance")
    ]
    Base.metadata.create_all(engine, tables=tables)
    with Session(engine) as session:
        yield session
    engine.dispose()


def ended_run(metadata: Session, dag_id: str = "syrve_customers", words: Any = None, note: str = "") -> DagRun:
    run = DagRun(dag_id=dag_id, run_id=RUN_ID, run_type="scheduled", run_after=NOW, start_date=NOW)
    metadata.add(run)
    metadata.flush()
    if note:
        run.note = note
    if words is not None:
        row = {"dag_run_id": run.id, "task_id": "publish", "map_index": -1, "key": RUN_WORDS_KEY, "dag_id": dag_id}
        metadata.execute(insert(XComModel).values(**row, run_id=RUN_ID, value=words, timestamp=NOW))
    metadata.commit()
    return run


def written(metadata: Session, run: DagRun) -> str | None:
    metadata.commit()
    metadata.expire_all()
    return str(run.note) if run.note else None


def test_end_of_a_run_writes_its_words_and_a_link(metadata: Session) -> None:
    run = ended_run(metadata, words={"text": "2,052 looked up, 3 rejected", "rejected": 3})

    on_dag_run_success(run, "success")

    assert written(metadata, run) == "Result: 2,052 looked up, 3 rejected. [See the rejects](/syrve/rejects)"


@pytest.mark.parametrize(
    "left",
    [
        {"text": "[approve it](https://evil.example)"},
        {"text": "see https://evil.example", "rejected": 0},
        {"text": "1 changed\n\nResult: all is well"},
        {"text": "1 changed\u202e"},
        {"text": {"a": 1}},
        {"text": "1 changed, " * 1_000},
        '{"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1]}',
        '{"text": "1 changed"}',
        [1],
    ],
    ids=["link", "address", "lines", "direction", "no text", "long", "class", "text of JSON", "list"],
)
def test_words_that_others_wrote_are_left_out(metadata: Session, left: Any) -> None:
    run = ended_run(metadata, words=left)

    on_dag_run_success(run, "success")

    assert written(metadata, run) == "Result: Done; its log says what it did."


def test_failed_run_says_where_and_what_it_had_done(metadata: Session) -> None:
    run = ended_run(metadata, words={"text": "40 looked up", "rejected": 0})
    for map_index in (0, 1):
        row = {"task_id": "pull", "dag_id": run.dag_id, "run_id": RUN_ID, "map_index": map_index, "state": "failed"}
        metadata.execute(
            insert(TaskInstance).values(
                **row, id=uuid4(), pool="p", pool_slots=1, max_tries=0, try_number=1, unixname="", end_date=NOW
            )
        )

    on_dag_run_failed(run, "task_failure")

    assert written(metadata, run) == "Result: Failed at pull (2 tasks), see the log; 40 looked up."


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("ask Olga", "ask Olga\n\nResult: 2 changed."),
        ("ask Olga\n\nProgress: 1 of 2", "ask Olga\n\nResult: 2 changed."),
        ("Result: 1 changed.", "Result: 2 changed."),
    ],
)
def test_words_of_people_stay_and_words_of_ours_are_replaced(metadata: Session, note: str, kept: str) -> None:
    run = ended_run(metadata, words={"text": "2 changed", "rejected": 0}, note=note)

    on_dag_run_success(run, "success")

    assert written(metadata, run) == kept


def test_runs_of_others_get_no_note(metadata: Session) -> None:
    others = ended_run(metadata, dag_id="their_dag")

    on_dag_run_success(others, "success")
    on_dag_run_failed(others, "task_failure")

    assert written(metadata, others) is None


def test_own_run_without_words_has_a_note_all_the_same(metadata: Session) -> None:
    run = ended_run(metadata, dag_id="syrve_checks")

    on_dag_run_success(run, "success")

    assert written(metadata, run) == "Result: Done; its log says what it did."


def test_airflow_loads_the_notes_with_the_plugin() -> None:
    from airflow.listeners.listener import get_listener_manager

    from syrve.ui import run_notes

    assert get_listener_manager().pm.is_registered(run_notes)
