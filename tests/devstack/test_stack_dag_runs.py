"""Finding DAGs, following runs, and telling why one failed."""

import json
import os
import time
from pathlib import Path

import pytest

from devstack import dag_runs
from devstack.airflow_api import ImportFailure, TaskState
from devstack.dag_runs import DagRun, describe_failure, find_dag_files, follow, new_run_id, wait_until_parsed
from devstack.errors import StackError
from devstack.processes import ProcessRecord
from devstack.task_logs import last_lines, readable, task_log_path
from fixtures.stack_fakes import FakeAirflow, dag

ME = ProcessRecord.of_this_process("self")


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    for name in ("syrve_customers", "syrve_coupons"):
        (tmp_path / f"{name}.py").write_text("from airflow.sdk import DAG")
    (tmp_path / "odd.py").write_text("DAG(dag_id='by_another_name')")
    return tmp_path


def test_a_dag_is_found_by_the_name_of_its_file_or_else_by_its_mention(dags: Path) -> None:
    assert find_dag_files(dags, "syrve_customers") == [dags / "syrve_customers.py"]
    assert find_dag_files(dags, "by_another_name") == [dags / "odd.py"]
    assert find_dag_files(dags, "another") == []


def test_an_unknown_dag_is_answered_with_those_that_there_are(dags: Path) -> None:
    with pytest.raises(StackError, match=r"no DAG 'nope' in .* There are: odd, syrve_coupons, syrve_customers"):
        wait_until_parsed(FakeAirflow(), dags, "nope", 0)


def test_a_dag_parsed_after_its_last_change_is_ready(dags: Path) -> None:
    api = FakeAirflow()
    api.dags["syrve_coupons"] = dag("syrve_coupons", parsed_at=time.time() + 1)
    assert wait_until_parsed(api, dags, "syrve_coupons", 0).dag_id == "syrve_coupons"


def test_what_was_parsed_before_the_last_change_or_start_is_not_trusted(
    dags: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_runs, "PARSE_TIMEOUT_SECONDS", 0.1)
    api = FakeAirflow()
    os.utime(dags / "syrve_coupons.py", (2000, 2000))
    api.dags["syrve_coupons"] = dag("syrve_coupons", parsed_at=1999)
    with pytest.raises(StackError, match="found no DAG 'syrve_coupons'"):
        wait_until_parsed(api, dags, "syrve_coupons", 0)
    api.dags["syrve_coupons"] = dag("syrve_coupons", parsed_at=2001)
    with pytest.raises(StackError, match="found no DAG 'syrve_coupons'"):
        wait_until_parsed(api, dags, "syrve_coupons", not_before=3000)
    assert wait_until_parsed(api, dags, "syrve_coupons", not_before=0)


def test_an_import_error_of_the_dag_is_shown_and_one_of_another_file_is_not(dags: Path) -> None:
    api = FakeAirflow()
    later = time.time() + 1
    api.failures = [
        ImportFailure("other.py", later, "ImportError: not this"),
        ImportFailure("syrve_coupons.py", later, "ImportError: no module named nothing"),
    ]
    with pytest.raises(StackError, match=r"syrve_coupons.py can't be imported:\nImportError: no module named nothing"):
        wait_until_parsed(api, dags, "syrve_coupons", 0)


def test_run_ids_never_repeat_and_please_airflow() -> None:
    ids = {new_run_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(set(run_id) <= set("abcdefghijklmnopqrstuvwxyzT0123456789_-:") for run_id in ids)


def test_a_run_is_followed_through_every_look_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_runs, "POLL_SECONDS", 0)
    api = FakeAirflow()
    api.looks = [[TaskState("plan", -1, state, 1)] for state in ("queued", "running", "success")]
    shown: list[str | None] = []
    assert follow(api, DagRun("d", "r"), [ME], lambda tasks: shown.append(tasks[0].state)) == "success"
    assert shown == ["queued", "running", "success"]


def test_following_ends_when_a_component_has_ended() -> None:
    api = FakeAirflow()
    api.looks = [[TaskState("plan", -1, "running", 1)]]
    gone = ProcessRecord("scheduler", ME.pid, "another birth")
    with pytest.raises(StackError, match="scheduler ended"):
        follow(api, DagRun("d", "r"), [gone], lambda tasks: None)


def test_following_ends_when_the_run_takes_too_long() -> None:
    api = FakeAirflow()
    api.looks = [[TaskState("plan", -1, "running", 1)]]
    with pytest.raises(StackError, match="run r of d took longer than 0 s"):
        follow(api, DagRun("d", "r"), [ME], lambda tasks: None, timeout_seconds=0.0)


def test_a_failed_run_names_its_failed_tasks_with_path_and_end_of_their_logs(tmp_path: Path) -> None:
    failed = TaskState("pull", 2, "failed", 3)
    log = task_log_path(tmp_path, "d", "r", failed)
    assert log == tmp_path / "logs/dag_id=d/run_id=r/task_id=pull/map_index=2/attempt=3.log"
    log.parent.mkdir(parents=True)
    log.write_text('{"timestamp": "2026-01-01T10:11:12.5Z", "level": "error", "event": "Task failed"}\n')
    tasks = [TaskState("plan", -1, "success", 1), failed, TaskState("publish", -1, "upstream_failed", 0)]
    assert describe_failure(tmp_path, DagRun("d", "r"), tasks) == [
        "d failed (run r)",
        f"task pull[2] failed; its log is {log}, and ends:",
        "    10:11:12 error   Task failed",
        "task publish did not run, because one before it failed",
    ]


def test_only_the_end_of_a_log_is_shown_and_none_of_what_airflow_folds_it_by(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {n}\n" for n in range(100)) + '{"event": "::endgroup::"}\n')
    assert last_lines(log, 2) == ["line 98", "line 99"]
    assert last_lines(tmp_path / "missing") == []


def test_an_exception_in_a_tasks_log_is_named() -> None:
    line = {
        "timestamp": "2026-01-01T10:11:12.5Z",
        "level": "error",
        "event": "Task failed with exception",
        "error_detail": [{"exc_type": "ValueError", "exc_value": "kaboom"}],
    }
    assert [text.strip() for text in readable(json.dumps(line))] == [
        "10:11:12 error   Task failed with exception",
        "ValueError: kaboom",
    ]


@pytest.mark.parametrize("line", ["plain text", "{broken", "[1]", '{"event": "no time"}', ""])
def test_a_line_that_is_not_airflows_stays_as_it_is(line: str) -> None:
    assert readable(line) == [line]
