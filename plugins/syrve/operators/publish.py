"""Says on the assets what a run changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.operators.base import WarehouseOperator, format_counts
from syrve.operators.run_words import leave_counts

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SyrvePublishOperator(WarehouseOperator):
    """Sums the counts of the run's tasks and updates those of its outlets whose tables changed.

    Skips itself where nothing changed, so that DAGs waiting for the tables run only when there is something to see. The events carry
    counts and no data.
    """

    template_fields: Sequence[str] = ()
    reads = ("sync.run",)

    def __init__(self, *, count_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count_task_id = count_task_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish the run's counts."""
        from syrve.warehouse.runs import read_counts

        task = f"{self.dag_id}.{self.count_task_id}"
        with self.warehouse().transaction("read the counts of the run") as cursor:
            counts = read_counts(cursor, context["run_id"], task)
        log.info("The run: %s", format_counts(counts))
        if not counts.changed:
            leave_counts(context, self.warehouse_conn_id)  # what is skipped has no `post_execute`
            raise AirflowSkipException("Nothing changed, so no asset is updated")
        result: dict[str, Any] = counts.as_dict()
        self.publish(context, counts.changed_tables or {outlet.name for outlet in self.outlets}, result)
        return result
