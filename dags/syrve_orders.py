"""
### Read the order feed (live service only)

Reads which deliveries changed since the last run, and keeps each as a signal (`sync.signal`): their customers are due, unknown ones join
the roster, and the states of the orders are reported to the ledger (`wallet.payment_order`). Under the dialect `reference` it skips itself.

**Tasks.** `organizations` lists them; `read` (mapped) reads one organization's orders; `take` works the signals off, also if another
organization could not be read; `all_read` fails then.

**Safe to** run twice, run beside itself, clear, or kill: the revision is committed with the orders that it covers.

**When it fails** the errors and what to do about them are those of `syrve_customers`. After a pause of three hours and more it reads by
date, at most seven days back. With *Days to read again* it does so at any time.

**Where to look.** `sync.order_bookmark`: how far each organization was read. `analytics.signal_quality`: the outcome.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from syrve.operators import assets, forms, settings
from syrve.operators.signals import (
    SyrveFollowSignalsOperator,
    SyrveOrderOrganizationsOperator,
    SyrveReadOrdersOperator,
)

with DAG(
    dag_id="syrve_orders",
    dag_display_name="Syrve: orders",
    description="Order feed: new identities, customers due, states of orders",
    doc_md=__doc__,
    schedule=settings.schedule("orders", "none"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=1,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "pull"],
    params={
        **forms.organization_ids(),
        "days": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=7,
            title="Days to read again",
            description="Empty: what changed since the last run. The service guarantees orders for 7 days.",
        ),
    },
) as dag:
    organizations = SyrveOrderOrganizationsOperator(
        task_id="organizations",
        syrve_conn_id=settings.SIGNALS_CONNECTION,
        organization_ids="{{ params.organization_ids }}",
        pool=settings.POOL,
        outlets=[assets.ORGANIZATION],
    )
    read = SyrveReadOrdersOperator.partial(
        task_id="read",
        syrve_conn_id=settings.SIGNALS_CONNECTION,
        days="{{ params.days }}",
        pool=settings.POOL,
        map_index_template="{{ organization_name | default(task.organization_id) }}",
    ).expand(organization_id=organizations.output)
    take = SyrveFollowSignalsOperator(
        task_id="take",
        syrve_conn_id=settings.SIGNALS_CONNECTION,
        pulls=False,
        pool=settings.POOL,
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
        outlets=[assets.ROSTER, assets.PAYMENT_ORDER],
    )
    read >> take
    [read, take] >> EmptyOperator(task_id="all_read", trigger_rule=TriggerRule.NONE_FAILED)
