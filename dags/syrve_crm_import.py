"""
### Import the CRM's desired states

Brings desired states into `crm.customer`, `crm.customer_category`, `crm.customer_card` and `crm.customer_program`, from a CSV, Parquet or
Excel file of the inbox, or from a query; what these may look like is in `docs/files.md`. A CRM that writes these tables itself needs no
import.

**Preview first** (the default; *Import* writes): it counts what would be created, changed and rejected, and writes nothing but the file of
bad rows beside the source.

**Rows** name their customer by `crm_id`, `customer_id` or `phone`, and may have the other columns of `crm.customer`, `category_id`,
`card_track` with `card_number`, `program_id`, `wanted` (no: take the membership away) and `clear` (names of fields to empty); see
`docs/crm-push.md`. An empty cell leaves the field as it is.

**Safe to** run twice: what is there already is left as it is. Each row is taken whole or lands in `sync.reject`, stage `import`, with the
reason, and in a file beside the source; correct it and import again, and it closes by itself.

**When it fails** with `UnusableSource`, the text says what the form, the file or the query lacks: put it right and start another run.
`UnreadableSource` is storage or a database out of reach, and is retried.
"""

from __future__ import annotations

from airflow.sdk import DAG

from syrve.operators import assets, forms, settings
from syrve.operators.crm import SOURCES, SyrveCrmImportOperator

with DAG(
    dag_id="syrve_crm_import",
    dag_display_name="Syrve: import CRM rows",
    description="Imports the CRM's desired states from a file or a query",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "crm"],
    params={
        **forms.preview_or_import(),
        **forms.source(SOURCES, "file"),
        **forms.file_or_query("desired_states.csv"),
        **forms.organization_of_rows(),
    },
) as dag:
    SyrveCrmImportOperator(
        task_id="import_desired_states",
        **forms.SOURCE_ARGUMENTS,
        organization_id="{{ params.organization_id }}",
        is_dry_run="{{ params.dry_run }}",
        outlets=[assets.CRM_CUSTOMER],
    )
