"""
### Hand out what is held about a person

Writes every row about one customer, by table, as JSON into the folder of `SYRVE_EXPORTS_PATH`: for a person who asks what you hold about
them. The file has a random name; the log and the task's result name it. Hand it out, then delete it.

**Tasks.** `export`. **Safe to** run at any time: it only reads.

**When it fails** with `UnusableRequest`, nothing is held about that customer of that organization: look for other ids of the person.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from syrve.operators import settings
from syrve.operators.privacy import SyrveExportCustomerOperator

with DAG(
    dag_id="syrve_export_customer",
    dag_display_name="Syrve: export a customer",
    description="Writes what is held about a person into a file",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "privacy"],
    params={
        "organization_id": Param(None, type=["null", "string"], format="uuid", title="Organization"),
        "customer_id": Param(None, type=["null", "string"], format="uuid", title="Customer id"),
    },
) as dag:
    SyrveExportCustomerOperator(
        task_id="export", organization_id="{{ params.organization_id }}", customer_id="{{ params.customer_id }}"
    )
