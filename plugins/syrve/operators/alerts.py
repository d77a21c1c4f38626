"""Tells people of what went wrong beside findings and breakers, and of what is well again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from syrve.operators.base import WarehouseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

WATCHED_DAGS = (
    "syrve_customers",
    "syrve_balances",
    "syrve_coupons",
    "syrve_crm_push",
    "syrve_wallet_import",
    "syrve_reconcile_holds",
    "syrve_release_holds",
    "syrve_signals",
    "syrve_orders",
    "syrve_maintenance",
    "syrve_checks",
)
"""The DAGs that a setting may give a schedule."""
BY_ITSELF = ("scheduled", "asset_triggered")


class SyrveAlertOperator(WarehouseOperator):
    """Looks for conditions that people must know, and tells the channels of `conn_id` which began and ended; see docs/alerts.md.

    Each is reported once. Without a connection no channel is notified, and the log says what holds. Returns how many began and ended.
    """

    template_fields: Sequence[str] = ("conn_id",)
    reads = ("sync.freshness_kept", "sync.refresh_fit", "sync.run", "wallet.unsettled_operation")
    writes = ("sync.alert",)

    def __init__(
        self,
        *,
        conn_id: str = "syrve_notifications",
        dag_ids: Sequence[str] = WATCHED_DAGS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.dag_ids = dag_ids

    def execute(self, context: Context) -> dict[str, int]:
        """Look, and tell."""
        from syrve.notifications.alerts import tell_of_alerts
        from syrve.notifications.channels import open_channels

        channels = open_channels(self.conn_id)
        if not channels:
            log.info("No connection %s: no channel is notified of alerts", self.conn_id)
        reported = tell_of_alerts(self.warehouse(), channels, failing_dags(self.dag_ids))
        return dict(reported)


def failing_dags(dag_ids: Sequence[str], ask: Callable[..., Any] | None = None) -> dict[str, str]:
    """Say which of the DAGs run by themselves and failed the last time that they ended, by DAG id; asks Airflow's execution API."""
    found = {}
    for dag_id in dag_ids:
        reported = _failure(dag_id, ask or _ask_airflow)
        if reported:
            found[dag_id] = reported
    return found


def _failure(dag_id: str, ask: Callable[..., Any]) -> str | None:
    failed = ask("GetPreviousDagRun", dag_id=dag_id, logical_date=datetime.now(UTC), state="failed")
    if failed is None or failed.logical_date is None:
        return None
    went_well = ask("GetPreviousDagRun", dag_id=dag_id, logical_date=datetime.now(UTC), state="success")
    if went_well is not None and went_well.logical_date and went_well.logical_date > failed.logical_date:
        return None
    dag = ask("GetDag", dag_id=dag_id)
    is_armed = dag.next_dagrun is not None or str(getattr(failed.run_type, "value", failed.run_type)) in BY_ITSELF
    if dag.is_paused or not is_armed:
        return None
    since = f"; the last that went well was that of {went_well.logical_date:%Y-%m-%d %H:%M} UTC" if went_well else ""
    return f"{dag_id} runs by itself and fails{since}"


def _ask_airflow(message: str, **asked: Any) -> Any:
    """Ask the supervisor, as Airflow's own methods do for the DAG of the task; theirs do not reach the runs of other DAGs."""
    from airflow.sdk.execution_time import comms
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    answer = SUPERVISOR_COMMS.send(getattr(comms, message)(**asked))
    return getattr(answer, "dag_run", None) if message == "GetPreviousDagRun" else answer
