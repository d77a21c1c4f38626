"""
### Push the CRM's desired states to Syrve

Compares `crm.customer` and its memberships with what was agreed and with the mirror, field by field, and sends what the CRM changed:
`docs/crm-push.md` says how to write desired states, who wins where both sides changed something, and how to empty a field.

**Tasks.** `plan` writes the exact changes into `crm.push_plan` and tells counts and field names in its log; `approve` asks a person when
the plan is larger than `approval_customers` and passes otherwise; `apply` (mapped) sends a shard, a customer at a time; `publish` updates
the asset `crm.push` if anything was sent; `all_pushed` makes the run fail if a shard failed or too many rows were refused.

**By hand it is a preview** unless *Send* is chosen (`"dry_run": false`): it plans and sends nothing. By itself it sends only where
`SYRVE_CRM_PUSH_SCHEDULE` is set. What was approved, by whom and when is in `sync.approval_state`; `apply` sends nothing else.

**Safe to** run twice, run beside itself, clear, or kill: only what is still as planned is sent, rows are leased, every call is noted before
it is made, and a new customer whose answer was lost is looked for before anything is sent again.

**When it fails**

| the task says | do |
| --- | --- |
| `PushRefused` | look at the reasons in `crm.push_blocked` and `crm.push_plan`; correct the rows, and they go again by themselves |
| `PushIncomplete`, `ServiceUnavailable`, `ConnectionFailed` | nothing: what was acknowledged is kept, the rest is retried |
| `PermissionDenied` | grant the named right to the api login in Syrve's back office; clear the task |
| `AuthenticationFailed` | put the right api login into the connection's password field; clear the task |
| `QuestionOutdated`, `NotApproved` | what was shown has changed, or it was not approved: start another run |
| skipped, `loyalty is not set up` | leave the organization out (`organization_ids` of the connection), or have loyalty set up |
| `WarehouseConfigError` | apply the migrations (`python -m syrve.warehouse migrate`) or the grants of `syrve_loader` |

**Where to look.** Attempts: `crm.push`. Rows that wait: `crm.push_blocked`; delete one to let it go again, or tick *Release* in the form.
Differences that wait for a decision: `crm.conflict`; set `decision` to `crm` or `syrve`. What changed in Syrve: `crm.remote_change`.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, TriggerRule

from syrve.operators import assets, forms, settings
from syrve.operators.approval import SyrveApprovePushOperator
from syrve.operators.crm import SyrveApplyPushOperator, SyrvePlanPushOperator, SyrvePushVerdictOperator
from syrve.operators.publish import SyrvePublishOperator

with DAG(
    dag_id="syrve_crm_push",
    dag_display_name="Syrve: push CRM changes",
    description="Plans and applies the CRM's changes",
    doc_md=__doc__,
    schedule=settings.schedule_or_asset("crm_push", "none", assets.CRM_CUSTOMER),
    catchup=False,
    allowed_run_types=settings.NO_BACKFILLS,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=2,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "push"],
    params={
        **forms.preview_or_send("plan, and send nothing.", "send the plan.", settings.armed("crm_push")),
        **forms.organization_ids(),
        **forms.limit("customers", "all that have changed"),
        "release_blocked": Param(
            False,
            type="boolean",
            title="Release what waits",
            description="Let the rows of crm.push_blocked of these organizations go again.",
        ),
        "approval_customers": Param(
            settings.APPROVAL_CUSTOMERS,
            type="integer",
            minimum=0,
            maximum=settings.APPROVAL_CUSTOMERS,
            title="Ask a person above",
            description="A plan of more customers than this waits for approval; at most what SYRVE_APPROVAL_CUSTOMERS says.",
        ),
        "max_refused_share": Param(
            0.5,
            type="number",
            minimum=0,
            maximum=1,
            title="Refusals that are tolerated",
            description="The run fails where a larger share of an organization's rows was refused.",
        ),
        **forms.shards("Customers", settings.PUSH_SHARD_SIZE),
    },
) as dag:
    plan = SyrvePlanPushOperator(
        task_id="plan",
        is_dry_run="{{ params.dry_run }}",
        organization_ids="{{ params.organization_ids }}",
        limit="{{ params.limit }}",
        release_blocked="{{ params.release_blocked }}",
        shard_size="{{ params.shard_size }}",
        max_shards="{{ params.max_shards }}",
        pool=settings.POOL,
        outlets=[assets.ORGANIZATION],
    )
    approve = SyrveApprovePushOperator(task_id="approve", approval_customers="{{ params.approval_customers }}")
    apply = SyrveApplyPushOperator.partial(
        task_id="apply",
        pool=settings.POOL,
        map_index_template="{{ organization_name | default(task.organization_id) }} / {{ task.shard }}",
    ).expand_kwargs(plan.output)
    publish = SyrvePublishOperator(
        task_id="publish", count_task_id="apply", trigger_rule=TriggerRule.ALL_DONE, outlets=[assets.CRM_PUSH]
    )
    all_pushed = SyrvePushVerdictOperator(
        task_id="all_pushed",
        max_refused_share="{{ params.max_refused_share }}",
        trigger_rule=TriggerRule.NONE_FAILED,
    )
    plan >> approve >> apply >> [publish, all_pushed]
