"""
### Look at customers by the clock: open holds, unsettled money, pushes to read back

Looks up, every 15 minutes, the customers about whom something is open (`sync.roster.active_until`: a hold, a money call without an
answer, a push to be read back), and writes what changed into the same tables as `syrve_customers`. All other customers are looked up by
`syrve_customers`. The interval can be set by organization (`watch_seconds` of `sync.refresh_policy`).

**Safe to** run twice, run beside itself and beside `syrve_customers`, clear, or kill. While it is paused, `syrve_customers` takes its
customers along once they are an hour overdue.

**Tasks**, and what to do **when it fails**, are those of `syrve_customers`; and `settle`, which looks every five minutes for evidence of
money operations without an outcome (`docs/wallet.md`), and asks nothing if there are none. `measure` sends the gauges of `docs/metrics.md`
to the monitoring system, if Airflow has one. `alert` sends the channels a message when an alert begins and when it ends (`docs/alerts.md`).

**Where to look.** `analytics.sync_freshness`, column `by_the_clock`: how many there are.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule

from syrve.operators import assets, forms, settings
from syrve.operators.alerts import SyrveAlertOperator
from syrve.operators.customers import SyrvePlanPullOperator, SyrvePullCustomersOperator
from syrve.operators.findings import SyrveSettleOperator
from syrve.operators.measure import SyrveMeasureOperator
from syrve.operators.publish import SyrvePublishOperator

with DAG(
    dag_id="syrve_balances",
    dag_display_name="Syrve: look at open money",
    description="Looks at customers by the clock: open holds, unsettled money, pushes to read back",
    doc_md=__doc__,
    schedule=settings.schedule("balances", "*/5 * * * *"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    deadline=settings.late_run_alert(),
    max_active_runs=2,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "pull"],
    params={
        **forms.organization_ids(),
        **forms.limit("identities", "all that are due"),
        **forms.shards("Identities", settings.SHARD_SIZE),
        **forms.batch_size(),
    },
) as dag:
    plan = SyrvePlanPullOperator(
        task_id="plan",
        organization_ids="{{ params.organization_ids }}",
        tier="active",
        limit="{{ params.limit }}",
        shard_size="{{ params.shard_size }}",
        max_shards="{{ params.max_shards }}",
        pool=settings.POOL,
        outlets=[assets.ORGANIZATION],
    )
    pull = SyrvePullCustomersOperator.partial(
        task_id="pull",
        batch_size="{{ params.batch_size }}",
        pool=settings.POOL,
        map_index_template="{{ organization_name | default(task.organization_id) }} / {{ task.shard }}",
    ).expand_kwargs(plan.output)
    publish = SyrvePublishOperator(
        task_id="publish",
        count_task_id="pull",
        trigger_rule=TriggerRule.ALL_DONE,
        outlets=[assets.CUSTOMER, assets.WALLET_BALANCE, assets.CARD, assets.CUSTOMER_CATEGORY],
    )
    # Beside the pull: under `reference` a balance is evidence for some minutes only.
    SyrveSettleOperator(
        task_id="settle",
        organization_ids="{{ params.organization_ids }}",
        operations=100,
        pool=settings.POOL,
        outlets=[assets.OPERATION],
    )
    SyrveMeasureOperator(task_id="measure")
    SyrveAlertOperator(task_id="alert", conn_id=settings.NOTIFICATIONS_CONNECTION)
    pull >> [publish, EmptyOperator(task_id="all_pulled", trigger_rule=TriggerRule.NONE_FAILED)]
