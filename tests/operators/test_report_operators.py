"""Report and messages as Airflow runs them: where the files lie, who is told of which run, and a failed run that is told."""

import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from airflow.sdk import DAG, ObjectStoragePath
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.io import attach

from fixtures.airflow import SetConnection, task_context
from fixtures.books import Book, after, open_book
from fixtures.channels import Webhook, open_webhook
from syrve.notifications.errors import ChannelFailed, NotificationError, UnusableChannel
from syrve.notifications.failure import SyrveFailureNotifier
from syrve.operators.findings_report import SyrveFindingsNotifyOperator, SyrveFindingsReportOperator
from syrve.reports.report import LATEST
from syrve.warehouse.database import Warehouse

AS_OF = after(hours=4)
CONNECTION = "syrve_notifications"


@pytest.fixture
def book(warehouse: Warehouse, warehouse_dsn: str, warehouse_connection: None) -> Iterator[Book]:
    for found in open_book(warehouse, warehouse_dsn):
        found.order("7", "open", AS_OF - timedelta(hours=5))
        found.hold(order="7")
        found.reconcile(AS_OF)
        yield found


@pytest.fixture
def webhook(set_connection: SetConnection) -> Iterator[Webhook]:
    with open_webhook() as hook:
        set_connection(CONNECTION, conn_type="apprise", extra=json.dumps({"config": {"path": hook.path}}))
        yield hook


def execute(operator_class: Any, as_of: datetime = AS_OF, run_type: str = "scheduled", **params: Any) -> Any:
    context = task_context()
    context["dag_run"] = SimpleNamespace(run_type=run_type, run_after=as_of)
    context["data_interval_end"] = as_of
    with DAG("dag", schedule=None):
        operator = operator_class(task_id="task", **params)
    return operator.execute(context)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_report_lies_in_the_folder_under_names_of_its_moment(book: Book, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"

    made = execute(SyrveFindingsReportOperator, path=folder.as_uri(), url="https://reports.example.org/wallets/")

    stem = made["html"].removeprefix(f"{folder.as_uri()}/").removesuffix(".html")
    assert stem.startswith("2026-03/findings-20260302T130000Z-")
    assert files_in(folder) == {f"{stem}.html", f"{stem}.csv", LATEST}
    assert made["link"] == f"https://reports.example.org/wallets/{stem}.html"
    assert (made["findings"], made["at_risk"], made["is_newest"]) == (1, "100.00", True)
    assert json.loads(json.dumps(made)) == made
    assert f'href="{stem}.csv"' in (folder / LATEST).read_text(), "from where it lies"


def test_run_again_it_writes_the_same_files(book: Book, tmp_path: Path) -> None:
    execute(SyrveFindingsReportOperator, path=str(tmp_path))
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}

    execute(SyrveFindingsReportOperator, path=str(tmp_path))

    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before


def test_report_lies_in_airflows_home_where_no_path_is_set(book: Book) -> None:
    made = execute(SyrveFindingsReportOperator, path="none", path_conn_id="none", url="none")

    assert made["html"].startswith(f"file://{os.environ['AIRFLOW_HOME']}/reports/2026-03/")
    assert made["link"] == made["html"]
    assert ObjectStoragePath(made["csv"]).exists()


def test_report_lies_on_any_object_storage(book: Book) -> None:
    attach("memory", fs=fsspec.filesystem("memory"))
    made = execute(SyrveFindingsReportOperator, path="memory://bucket/wallets")

    html = ObjectStoragePath(made["html"])
    assert html.protocol == "memory"
    assert html.read_text().startswith("<!doctype html>")
    assert ObjectStoragePath("memory://bucket/wallets/latest.html").exists()


def test_changes_of_the_newest_moment_are_told_once(book: Book, webhook: Webhook) -> None:
    url = "https://reports.example.org/"
    made = execute(SyrveFindingsReportOperator, url=url)
    told = execute(SyrveFindingsNotifyOperator, has_report="True", url=url)

    assert told == {f"{CONNECTION}/json": {"opened": 1}}
    assert execute(SyrveFindingsNotifyOperator, has_report="False") == {}
    assert len(webhook.taken) == 1
    assert f"Report: {made['link']}" in webhook.taken[0]["message"]
    assert made["link"].startswith(url)


@pytest.mark.parametrize(
    "params",
    [{"run_type": "backfill"}, {"as_of": AS_OF - timedelta(hours=1)}, {"given": AS_OF.isoformat()}],
    ids=["backfill", "not the newest", "a moment of the form"],
)
def test_past_moment_is_not_told(book: Book, webhook: Webhook, params: dict[str, Any]) -> None:
    given = params.pop("given", None)
    context_as_of = params.pop("as_of", AS_OF)

    class Given(SyrveFindingsNotifyOperator):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(as_of=given, **kwargs)

    with pytest.raises(AirflowSkipException, match=r"past moment is not reported|are not the newest"):
        execute(Given, as_of=context_as_of, **params)

    assert webhook.taken == []
    assert book.rows("select count(*) from wallet.finding_told") == [(0,)]


def test_no_connection_is_said_and_skipped(book: Book) -> None:
    with pytest.raises(AirflowSkipException, match="No connection syrve_notifications, so no channel is notified"):
        execute(SyrveFindingsNotifyOperator)


def test_channel_that_fails_fails_the_task_in_a_way_that_is_retried(book: Book, webhook: Webhook) -> None:
    from syrve.operators.retry import syrve_retry_policy

    webhook.status = 500

    with pytest.raises(ChannelFailed) as caught:
        execute(SyrveFindingsNotifyOperator)

    policy = syrve_retry_policy()
    assert policy.evaluate(caught.value, 1, 4).action.value == "retry"
    assert policy.evaluate(UnusableChannel("bad"), 1, 4).action.value == "fail"
    assert NotificationError.retry_after_seconds is None


def test_failed_run_is_told_with_the_errors_class_and_not_its_text(webhook: Webhook) -> None:
    run = SimpleNamespace(dag_id="syrve_reconcile_holds", run_id="scheduled__1")
    instance = SimpleNamespace(task_id="reconcile", try_number=5, dag_id="syrve_reconcile_holds")
    context = {
        "dag_run": run,
        "ti": instance,
        "run_id": "scheduled__1",
        "exception": ValueError("Кенариус +79757771234"),
    }

    SyrveFailureNotifier()(context)

    (posted,) = webhook.taken
    assert (posted["title"], posted["type"]) == ("syrve_reconcile_holds failed", "failure")
    assert posted["message"] == (
        "Run: scheduled__1\nTask: reconcile, try 5\nError: ValueError; its text is in the task's log"
    )


def test_failed_run_that_nobody_can_be_told_of_is_said_in_the_log(
    webhook: Webhook, set_connection: SetConnection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    context = {"dag_run": SimpleNamespace(dag_id="dag", run_id="1"), "reason": "task_failure"}

    webhook.status = 500
    SyrveFailureNotifier()(dict(context))
    SyrveFailureNotifier(conn_id="there_is_none")(dict(context))
    set_connection("broken", conn_type="http")
    SyrveFailureNotifier(conn_id="broken")(dict(context))

    assert "syrve_notifications/json was not notified of the failure" in caplog.text
    assert "No connection there_is_none: no channel is notified" in caplog.text
    assert "No channel is notified of the failure: the connection broken must be of type apprise" in caplog.text
