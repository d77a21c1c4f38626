"""
### Retention and upkeep

Once a day: forgets people again who were erased and came back with a restored backup (by the receipts among the reports), deletes rows
that are older than their retention, adds partitions of the history ahead, and makes identities due that no look-up covers any more. What
is kept how long is in docs/privacy.md; `SYRVE_RETENTION_DAYS` changes it.

**Tasks.** `maintain`. **Safe to** run twice, clear, or kill: each batch is one transaction.

**When it fails** with `UnusableRequest`, correct `SYRVE_RETENTION_DAYS`; anything else is retried.
"""

from __future__ import annotations

from airflow.sdk import DAG

from syrve.operators import settings
from syrve.operators.privacy import SyrveMaintenanceOperator

with DAG(
    dag_id="syrve_maintenance",
    dag_display_name="Syrve: maintenance",
    description="Retention, partitions, and erasures after a restore",
    doc_md=__doc__,
    schedule=settings.schedule("maintenance", "23 3 * * *"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=1,
    default_args=settings.default_args(),
    tags=["syrve", "upkeep"],
) as dag:
    SyrveMaintenanceOperator(task_id="maintain", keep_days=settings.retention_days())
