"""
### Take into the ledger what others did with wallets

Imports holds, charges, cancellations and order states that tills, sites and apps made, from a query or from a file of the inbox
(`docs/files.md`), and under the dialect `cloud` reads Syrve's transactions of customers with open holds. The columns are the
contract in `docs/wallet.md`.

**Tasks.** `import_records` reads the source of the form (by default that of `SYRVE_WALLET_IMPORT_SOURCE`; none: it is skipped);
`read_transactions` reads some customers, those read longest ago first, and looks once at those whose money we moved over an hour ago
(skipped under `reference`, which has no such report).

**Preview** by hand unless the form says *Import*: it counts, and writes nothing but the file of bad rows. By schedule it imports.

**Safe to** run twice, clear, or kill: a record that the ledger has is left as it is, and a chunk commits as a whole. Late rows are welcome:
each counts from when it happened.

**When it fails** with `UnusableSource`, the text says what the form, the file or the query lacks. Rows that could not be
imported are in `sync.reject`, entity `wallet_operation`, with the reason; correct them at their source and import again.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from syrve.operators import assets, forms, settings
from syrve.operators.wallet_import import SOURCES, SyrveTransactionsOperator, SyrveWalletImportOperator

with DAG(
    dag_id="syrve_wallet_import",
    dag_display_name="Syrve: import money records",
    description="Takes holds, charges, cancellations and orders made elsewhere into the ledger",
    doc_md=__doc__,
    schedule=settings.schedule("wallet_import", "*/15 * * * *"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=1,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "wallet"],
    params={
        **forms.preview_or_import(),
        **forms.source(SOURCES, settings.WALLET_IMPORT_SOURCE),
        "source_name": Param(
            settings.WALLET_IMPORT_NAMES[0],
            type="string",
            enum=list(settings.WALLET_IMPORT_NAMES),
            title="Name of the source",
            description="Whose records these are, one of SYRVE_WALLET_IMPORT_NAME; keys are unique within it.",
        ),
        **forms.file_or_query(
            "till.csv",
            query=settings.WALLET_IMPORT_QUERY,
            query_conn_id=settings.WALLET_IMPORT_DATABASE,
        ),
        **forms.organization_of_rows(),
        **forms.organization_ids("Whose transactions to read."),
        "customers": Param(
            100,
            type="integer",
            minimum=1,
            maximum=100_000,
            title="Customers",
            description="Whose transactions are read in a run, at most, and as many again whose money we moved; each costs a call or more.",
        ),
    },
) as dag:
    SyrveWalletImportOperator(
        task_id="import_records",
        **forms.SOURCE_ARGUMENTS,
        organization_id="{{ params.organization_id }}",
        is_dry_run="{{ params.dry_run }}",
        source_name="{{ params.source_name }}",
        outlets=[assets.OPERATION, assets.PAYMENT_ORDER],
    )
    SyrveTransactionsOperator(
        task_id="read_transactions",
        organization_ids="{{ params.organization_ids }}",
        customers="{{ params.customers }}",
        pool=settings.POOL,
        outlets=[assets.OPERATION],
    )
