"""
### Check the data

Makes the checks of `sql/checks`, one task per check: `docs/checks.md` says what each means and what to do. Results are kept in
`sync.check_result`.

**Tasks.** One per check, side by side; a check that finds something fails and names up to 20 rows by their ids, never by a phone or a name.
The others go on. A run that failed is told to the channels of the connection `syrve_notifications`.

**Safe to** run twice, clear, or kill: checks read, and write one row of results each.

**When it fails**

| the task says | do |
| --- | --- |
| `CheckFailed` | what the text says under *What to do*; then clear the task: it looks again |
| `WarehouseConfigError` | apply the migrations (`python -m syrve.warehouse migrate`) or the grants of `syrve_loader` |
"""

from __future__ import annotations

from airflow.sdk import DAG

from syrve.operators import settings
from syrve.operators.quality import check_tasks

with DAG(
    dag_id="syrve_checks",
    dag_display_name="Syrve: check the data",
    description="Checks the data: versions, orphans, counts, freshness, money",
    doc_md=__doc__,
    schedule=settings.schedule("checks", "37 5 * * *"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=1,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "quality"],
) as dag:
    check_tasks()
