"""Leaves what a run has done so far where Airflow's scheduler finds it when the run ends: see `syrve.ui.run_notes`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowNotFoundException

from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_warehouse
from syrve.reports.run_words import RUN_WORDS_KEY, format_result, format_run_counts

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def leave_run_words(context: Context, result: Any = None) -> None:
    """Leave what the run has done so far, as `post_execute` of the operators: see `leave_counts`.

    A mapped task leaves nothing: the task after it does.
    """
    map_index = context["ti"].map_index
    if map_index is None or map_index < 0:
        leave_counts(context, getattr(context["task"], "warehouse_conn_id", DEFAULT_WAREHOUSE_CONN_ID), result)


def leave_counts(context: Context, warehouse_conn_id: str, result: Any = None) -> None:
    """Leave the run's counts so far, all its tasks and tries together; without any, the task's result in words. Never fails the task."""
    from syrve.warehouse.errors import WarehouseError

    dag_id = context["ti"].dag_id
    try:
        counts = _counts(warehouse_conn_id, dag_id, context["run_id"])
    except (WarehouseError, AirflowNotFoundException) as error:
        log.warning("The run's note will not say what it did: %s", error)
        return
    text = format_run_counts(dag_id, counts) or format_result(result)
    if text:
        leave_words(context, text, rejected=int(counts["rejected"]) if counts else 0)


def leave_words(context: Context, text: str, *, rejected: int = 0) -> None:
    """Leave words of the task's own for the run's note; they hold no value of a customer."""
    context["ti"].xcom_push(key=RUN_WORDS_KEY, value={"text": text, "rejected": rejected})


def _counts(conn_id: str, dag_id: str, run_id: str) -> dict[str, Any] | None:
    from syrve.warehouse.sql_files import sql

    with open_warehouse(conn_id).transaction("read what the run did") as cursor:
        cursor.execute(sql("ui/run_counts.sql"), {"run_ids": [run_id]})
        columns = [column.name for column in cursor.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return next((row for row in rows if row["dag_id"] == dag_id), None)
