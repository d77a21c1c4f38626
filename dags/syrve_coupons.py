"""
### Refresh coupon series and watched coupons

Lists the coupon series of each organization into `syrve.coupon_series` and looks up the numbers of `sync.coupon_watch`, whose verdicts
(`valid`, `used`, `expired`, `deleted`, `unknown`) land in `syrve.coupon`.

**Tasks.** `organizations` lists the organizations; `pull` (mapped) does one organization; `publish` updates the assets if anything changed;
`all_pulled` makes the run fail if any organization failed.

**Safe to** run twice, clear, or kill. A series is marked gone only by a complete listing that no longer has it, and opened again when it
returns.

**When it fails** the errors and what to do about them are those of `syrve_customers`. To watch a coupon, insert its number:

    insert into sync.coupon_watch (organization_id, number, source) values ('...', 'PROMO2024', 'marketing');
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule

from syrve.operators import assets, forms, settings
from syrve.operators.coupons import SyrveOrganizationsOperator, SyrvePullCouponsOperator
from syrve.operators.publish import SyrvePublishOperator

with DAG(
    dag_id="syrve_coupons",
    dag_display_name="Syrve: refresh coupons",
    description="Refreshes coupon series, and the coupons on the watch list",
    doc_md=__doc__,
    schedule=settings.schedule("coupons", "47 4 * * *"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=1,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "pull"],
    params={
        **forms.organization_ids(),
    },
) as dag:
    organizations = SyrveOrganizationsOperator(
        task_id="organizations",
        organization_ids="{{ params.organization_ids }}",
        pool=settings.POOL,
        outlets=[assets.ORGANIZATION],
    )
    pull = SyrvePullCouponsOperator.partial(
        task_id="pull", pool=settings.POOL, map_index_template="{{ organization_name | default(task.organization_id) }}"
    ).expand(organization_id=organizations.output)
    publish = SyrvePublishOperator(
        task_id="publish",
        count_task_id="pull",
        trigger_rule=TriggerRule.ALL_DONE,
        outlets=[assets.COUPON_SERIES, assets.COUPON],
    )
    pull >> [publish, EmptyOperator(task_id="all_pulled", trigger_rule=TriggerRule.NONE_FAILED)]
