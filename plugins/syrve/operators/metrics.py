"""The metrics of the tasks, sent by Airflow's own client (StatsD, Datadog or OpenTelemetry, as `[metrics]` says): counts, no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.runs import Counts

COUNTERS = {
    "calls": "syrve.calls",
    "retries": "syrve.retries",
    "rate_limited": "syrve.refusals",
    "requested": "syrve.rows.requested",
    "found": "syrve.rows.found",
    "not_found": "syrve.rows.not_found",
    "changed": "syrve.rows.changed",
    "unchanged": "syrve.rows.unchanged",
    "rejected": "syrve.rows.rejected",
    "failed": "syrve.rows.failed",
    "held_back": "syrve.rows.held_back",
}
"""Counters by the column of `sync.run` that they follow; tagged with the DAG and the task."""

GAUGES = (
    "syrve.freshness.identities_overdue",
    "syrve.freshness.longest_overdue_seconds",
    "syrve.freshness.never_checked",
    "syrve.money.unknown_outcomes",
    "syrve.money.oldest_unknown_seconds",
    "syrve.holds.open",
    "syrve.holds.oldest_seconds",
    "syrve.holds.dangling",
    "syrve.findings.open",
    "syrve.rejects.open",
    "syrve.push.waiting",
    "syrve.breakers.undecided",
    "syrve.budget.customer.calls_per_minute",
    "syrve.budget.wallet.calls_per_minute",
    "syrve.budget.coupon.calls_per_minute",
    "syrve.budget.transactions.calls_per_minute",
    "syrve.budget.dictionary.calls_per_minute",
    "syrve.budget.orders.calls_per_minute",
    "syrve.budget.paused_families",
)
"""Gauges over all organizations together, or of the worst of them; measured by `sql/metrics/gauges.sql`."""


class Meter:
    """Counts what one task does, as it commits it: each call adds what is new since the last."""

    def __init__(self, context: Context) -> None:
        ti = context["ti"]
        self._tags = {"dag_id": ti.dag_id, "task_id": ti.task_id}
        self._sent: dict[str, int | float] = {}

    def __call__(self, total: Counts) -> None:
        """Send the difference between a task's counts so far and those that were sent."""
        numbers = total.as_dict()
        for name, metric in COUNTERS.items():
            new = int(numbers[name]) - int(self._sent.get(name, 0))
            if new > 0:
                stats.incr(metric, new, tags=self._tags)
        self._sent = numbers


def send_gauges(warehouse: Warehouse) -> dict[str, float]:
    """Measure the warehouse, send each gauge and return them by name; raises `WarehouseError`."""
    from syrve.warehouse.sql_files import sql

    with warehouse.transaction("measure") as cursor:
        cursor.execute(sql("metrics/gauges.sql"))
        names = [f"syrve.{column.name.replace('__', '.')}" for column in cursor.description or ()]
        row = cursor.fetchone() or ()
    measured = {name: float(value) for name, value in zip(names, row, strict=True)}
    for name in GAUGES:
        stats.gauge(name, measured[name])
    return measured
