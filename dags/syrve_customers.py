"""
### Refresh customers, wallet balances, cards and categories

Looks up the identities of `sync.roster` that are due and writes what changed into `syrve.customer`, `syrve.wallet_balance`, `syrve.card`
and `syrve.customer_category`.

**Tasks.** `plan` lists the organizations and divides what is due into shards; `pull` (mapped) works a shard off, a batch at a time;
`publish` sums the run up and updates the assets if anything changed; `daily_balance` adds up the balances by day for analysts;
`all_pulled` makes the run fail if any shard failed.

**Safe to** run twice, run beside itself, clear, or kill: a batch commits as a whole, and identities are leased, so nothing is lost and at
most the batch in work is looked up again.

**When it fails**

| the task says | do |
| --- | --- |
| `AuthenticationFailed` | put the right api login into the connection's password field; clear the task |
| `PermissionDenied` | grant the named right to the api login in Syrve's back office; clear the task |
| skipped, `loyalty is not set up` | leave the organization out (`organization_ids` of the connection), or have loyalty set up |
| `RateLimited` | nothing: it waits and goes on; if it comes often, lower `budgets` of the connection |
| `PullIncomplete`, `ServiceUnavailable`, `ConnectionFailed` | nothing: what landed is kept, the rest is due again and is retried |
| `WarehouseConfigError` | apply the migrations (`python -m syrve.warehouse migrate`) or the grants of `syrve_loader` |

**Where to look.** Counts by run: `sync.run`. What could not be imported, and why: `sync.reject` (open while `resolved_at` is null).
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from syrve.operators import assets, forms, settings
from syrve.operators.customers import SyrveDailyBalanceOperator, SyrvePlanPullOperator, SyrvePullCustomersOperator
from syrve.operators.publish import SyrvePublishOperator

with DAG(
    dag_id="syrve_customers",
    dag_display_name="Syrve: refresh customers",
    description="Refreshes the customers that are due: profile, balances, cards, categories",
    doc_md=__doc__,
    schedule=settings.schedule("customers", "17 * * * *"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "pull"],
    params={
        **forms.organization_ids(),
        "force": Param(
            False,
            type="boolean",
            title="Refresh everything",
            description="Make every identity of these organizations due first. Costs a look-up each.",
        ),
        **forms.limit("identities", "all that are due"),
        **forms.shards("Identities", settings.SHARD_SIZE),
        **forms.batch_size(),
    },
) as dag:
    plan = SyrvePlanPullOperator(
        task_id="plan",
        organization_ids="{{ params.organization_ids }}",
        force="{{ params.force }}",
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
    daily_balance = SyrveDailyBalanceOperator(task_id="daily_balance", trigger_rule=TriggerRule.ALL_DONE)
    pull >> [publish, daily_balance]
    [pull, daily_balance] >> EmptyOperator(task_id="all_pulled", trigger_rule=TriggerRule.NONE_FAILED)
