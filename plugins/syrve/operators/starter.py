"""Says why Airflow does not show who decided what a run does: then one person could be both who asks for money and who approves it.

In Airflow 3.3.2 a user who may start runs may also clear those of others, which reads their lists again, delete their tasks, which then
begin again, and start a backfill over them, which replaces their form. The run keeps the name of the one who started it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syrve.warehouse.database import Warehouse

PLAN_WITHIN = timedelta(hours=24)
"""How long after it was due a run may plan: no clearing changes that moment, and the user who started the run still knows of it."""
_BY_HAND = ("manual", "asset_materialization")


def doubt_about_starter(context: Any) -> str:
    """Return the reason; empty if Airflow names who started the run, or if a schedule, an asset or another DAG did."""
    run = context.get("dag_run")
    run_type = getattr(run, "run_type", None)
    run_type = str(getattr(run_type, "value", run_type))
    if run_type == "backfill":
        return "it belongs to a backfill, which may replace the form of a run that another user started"
    if getattr(run, "clear_number", 0) > 0 or _is_cleared(context):
        return "it was cleared, and Airflow does not say by whom"
    due_at = getattr(run, "run_after", None)
    if due_at is not None and datetime.now(UTC) - due_at > PLAN_WITHIN:
        return f"it was due more than {PLAN_WITHIN.total_seconds() / 3600:.0f} hours ago"
    if run_type in _BY_HAND and not getattr(run, "triggering_user_name", None):
        return "Airflow does not say who started it"
    return ""


def _is_cleared(context: Any) -> bool:
    """Tell whether the task itself was cleared: with `reset_dag_runs: false` the run does not show it, but the task has more tries."""
    tries, retries = (
        getattr(context.get(each), name, None) for each, name in (("ti", "max_tries"), ("task", "retries"))
    )
    return isinstance(tries, int) and isinstance(retries, int) and tries > retries


def doubt_about_start(context: Any, warehouse: Warehouse) -> str:
    """Record that the task, which plans, has begun a try; return the reason for doubt where Airflow counts fewer tries than the warehouse.

    Called before the task reads anything. Raises `WarehouseError`.
    """
    from syrve.warehouse.database import fetch_one
    from syrve.warehouse.sql_files import sql

    ti, due_at = context["ti"], getattr(context.get("dag_run"), "run_after", None)
    if due_at is None:
        return ""  # it is no run of Airflow, which always has one
    values = {"dag_id": ti.dag_id, "run_id": context["run_id"], "due_at": due_at, "task_id": ti.task_id}
    with warehouse.transaction("record that planning begins") as cursor:
        cursor.execute(sql("approvals/start.sql"), values | {"instance_id": str(ti.id)})
        others = int(fetch_one(cursor)[0])
    return "its tasks were deleted and made again, and Airflow does not say by whom" if others >= ti.try_number else ""
