"""
### Find money that is set aside, missing or too much, and no longer should be

Applies the rules of `sql/findings` to the ledger **as of** the end of the data interval, and keeps what they find in `wallet.finding`:
`docs/findings.md` says what each rule means and what to do, and how thresholds are set for an organization.

**Tasks.** `plan` chooses the moment and the organizations that the ledger knows; `settle` looks for evidence of operations without an
outcome (skipped where the moment is past); `reconcile` (mapped) evaluates one organization in one transaction, and has its customers with
open holds looked at often; `report` writes a CSV and a page with charts, and `notify` tells the channels of the connection
`syrve_notifications` what changed since each was last told (`docs/reports.md`; not of a past moment, and skipped where there is no such
connection); `publish` updates the asset `wallet.finding` if anything changed; `all_reconciled` makes the run fail if an
organization, `settle` or `report` failed. Where `settle` fails, reconciliation goes on with what is known. A run that failed is told to the
same channels.

**By hand** it looks at this moment, or at that of the form. **Looking back**: `airflow backfill create --dag-id syrve_reconcile_holds
--from-date … --to-date …` says what was true then, and leaves alone what is known of later. Do it again after rows arrived late.

**Safe to** run twice, run beside itself, clear, or kill: two runs at one organization wait in turn, and the same moment gives the same
findings.

**When it fails**

| the task says | do |
| --- | --- |
| `MalformedRule` | correct the file that it names |
| `UnusableThresholds` | correct `SYRVE_FINDING_THRESHOLDS`, or the form |
| `ServiceUnavailable`, `ConnectionFailed` (`settle`) | nothing: it is retried, and what stays unknown is a finding |
| `UnusableChannel` (`notify`) | correct the connection `syrve_notifications` |
| `ChannelFailed` (`notify`) | nothing: it is retried, and the next run tells what this one could not; see why in the log |
| an error of the storage (`report`) | see that the worker may write to `SYRVE_REPORTS_PATH`, then clear the task |
| `WarehouseConfigError` | apply the migrations (`python -m syrve.warehouse migrate`) or the grants of `syrve_loader` |

**Where to look.** `wallet.finding` and its versions; `wallet.finding_count` by day; `wallet.finding_as_of(moment)`.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from syrve.operators import assets, forms, settings
from syrve.operators.findings import SyrvePlanReconcileOperator, SyrveReconcileOperator, SyrveSettleOperator
from syrve.operators.findings_report import SyrveFindingsNotifyOperator, SyrveFindingsReportOperator
from syrve.operators.publish import SyrvePublishOperator

with DAG(
    dag_id="syrve_reconcile_holds",
    dag_display_name="Syrve: find dangling holds",
    description="Finds dangling holds and other money that is not where it should be, as of the interval's end",
    doc_md=__doc__,
    schedule=settings.schedule("reconcile_holds", "0 * * * *"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "wallet"],
    params={
        "as_of": Param(
            None,
            type=["null", "string"],
            title="As of",
            description="ISO 8601 date or time, UTC without an offset; empty means now, or the end of the interval.",
        ),
        "organization_ids": Param(
            None,
            type=["null", "array"],
            items=forms.UUID,
            title="Organizations",
            description="Ids, one per line; empty means all that the ledger knows.",
        ),
        "thresholds": Param(
            settings.finding_thresholds(),
            type=["null", "object"],
            title="Thresholds",
            description='By organization id, "default" for all others: {"default": {"hold_ttl_seconds": 7200}}; see docs/findings.md.',
        ),
        "settle_operations": Param(
            200,
            type="integer",
            minimum=1,
            maximum=100_000,
            title="Operations to settle",
            description="Operations without an outcome that are looked for in a run, at most; each costs a call or two.",
        ),
    },
) as dag:
    plan = SyrvePlanReconcileOperator(
        task_id="plan",
        as_of="{{ params.as_of }}",
        organization_ids="{{ params.organization_ids }}",
        thresholds="{{ params.thresholds }}",
    )
    settle = SyrveSettleOperator(
        task_id="settle",
        as_of="{{ params.as_of }}",
        organization_ids="{{ params.organization_ids }}",
        operations="{{ params.settle_operations }}",
        pool=settings.POOL,
        outlets=[assets.OPERATION],
    )
    reconcile = SyrveReconcileOperator.partial(
        task_id="reconcile",
        given_as_of="{{ params.as_of }}",
        thresholds="{{ params.thresholds }}",
        trigger_rule=TriggerRule.ALL_DONE,
        map_index_template="{{ organization_name | default(task.organization_id) }}",
    ).expand_kwargs(plan.output)
    publish = SyrvePublishOperator(
        task_id="publish", count_task_id="reconcile", trigger_rule=TriggerRule.ALL_DONE, outlets=[assets.FINDING]
    )
    report = SyrveFindingsReportOperator(
        task_id="report",
        as_of="{{ params.as_of }}",
        organization_ids="{{ params.organization_ids }}",
        path=settings.REPORTS_PATH,
        path_conn_id=settings.REPORTS_CONNECTION,
        url=settings.REPORTS_URL,
        trigger_rule=TriggerRule.ALL_DONE,
    )
    notify = SyrveFindingsNotifyOperator(
        task_id="notify",
        as_of="{{ params.as_of }}",
        organization_ids="{{ params.organization_ids }}",
        conn_id=settings.NOTIFICATIONS_CONNECTION,
        has_report="{{ ti.xcom_pull(task_ids='report') is mapping }}",
        path=settings.REPORTS_PATH,
        path_conn_id=settings.REPORTS_CONNECTION,
        url=settings.REPORTS_URL,
        trigger_rule=TriggerRule.ALL_DONE,
    )
    all_reconciled = EmptyOperator(task_id="all_reconciled", trigger_rule=TriggerRule.NONE_FAILED)
    settle >> reconcile >> [publish, report]
    report >> notify
    [plan, settle, reconcile, report] >> all_reconciled
