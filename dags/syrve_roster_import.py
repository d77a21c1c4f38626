"""
### Import identities into the roster

Syrve cannot list its customers, so the pull looks up the identities of `sync.roster`. This DAG adds to them, from `crm.customer`, from a
CSV, Parquet or Excel file of the inbox, or from a query; what these may look like is in `docs/files.md`.

**Preview first** (the default; *Import* writes): it counts what would be added and rejected, and writes nothing but the file of bad rows
beside the source.

**Rows** have the columns `organization_id` and one of `id`, `phone`, `card` (the first of these that is filled counts), and may have
`priority`. Phones become E.164 by the region of the connection `syrve_default`.

**Safe to** run twice: what the roster already has is left as it is. Rows that give no identity land in `sync.reject`, stage `import`, with
the reason, and in a file beside the source; correct them and import again, and they close by themselves.

**When it fails** with `UnusableSource`, the text says what the form, the file or the query lacks: put it right and start another run.
`UnreadableSource` is storage or a database out of reach, and is retried.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from syrve.operators import assets, forms, settings
from syrve.operators.roster import SOURCES, SyrveRosterImportOperator

with DAG(
    dag_id="syrve_roster_import",
    dag_display_name="Syrve: import identities",
    description="Adds identities to look up, from the CRM, a file or a query",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "roster"],
    params={
        **forms.preview_or_import(),
        **forms.source(SOURCES, "crm"),
        **forms.file_or_query("guests.csv"),
        **forms.organization_of_rows(),
        "priority": Param(
            0,
            type="integer",
            minimum=-100,
            maximum=100,
            title="Priority",
            description="Higher ones are looked up first.",
        ),
    },
) as dag:
    SyrveRosterImportOperator(
        task_id="import_roster",
        **forms.SOURCE_ARGUMENTS,
        organization_id="{{ params.organization_id }}",
        is_dry_run="{{ params.dry_run }}",
        priority="{{ params.priority }}",
        outlets=[assets.ROSTER],
    )
