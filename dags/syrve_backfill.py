"""
### Refresh a chosen set of customers, once

Looks up the identities that the form chooses, due or not, and writes what changed into the tables of `syrve_customers`. It uses what the
call budget has left: little while scheduled pulls run, otherwise the whole budget, or the cap of the form.

**Preview first** (the default): the log of `plan` and the run's note say how many look-ups it would be, by organization, and how long they
take at least. It writes nothing. Then trigger it again with the same form and *Start* (`"dry_run": false`).

**Phones and cards are personal data: never type them into the form,** which Airflow keeps and shows. Name customers by id, or give a file
or a query with the columns `organization_id` and one of `id`, `phone`, `card`. Who is not on the roster yet is added to it.

**Tasks.** `plan` chooses and divides into shards; `pull` (mapped) works a shard off; `publish` updates the assets if anything changed;
`all_pulled` ends the backfill, and makes the run fail if any shard failed.

**Safe to** run twice, run beside others of its kind and beside the scheduled pulls, clear, or kill. An identity is looked up once, by
the run that comes first; if two backfills chose the same one, the later has it. A killed or cleared `pull` goes on with what is left, and
so does a cleared `plan`: it chooses nothing that was answered since the backfill began. To look them up once more, start another run.

**When it fails** the errors of `pull` and what to do about them are those of `syrve_customers`. `UnusableSource` in `plan` says what the
form, the file or the query lacks. To give a backfill up, mark its run as failed; what it chose stays due as it was.

**Where to look.** `sync.backfill`: what was asked for, how many were chosen, whether it is done. What is left of it:

    select count(*) from sync.roster where backfill_id = 7;
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, TriggerRule

from syrve.operators import assets, forms, settings
from syrve.operators.backfill import SOURCES, SyrveFinishBackfillOperator, SyrvePlanBackfillOperator
from syrve.operators.customers import SyrvePullCustomersOperator
from syrve.operators.publish import SyrvePublishOperator

with DAG(
    dag_id="syrve_backfill",
    dag_display_name="Syrve: backfill customers",
    description="Refreshes a chosen set of customers once, behind scheduled work",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args()
    | {"weight_rule": "absolute", "execution_timeout": timedelta(hours=settings.BACKFILL_TIMEOUT_HOURS)},
    tags=["syrve", "pull", "backfill"],
    params={
        **forms.preview_or_start("only say how many look-ups it would be and how long they take.", "look them up."),
        **forms.organization_ids("Name one where customers are named by id."),
        "source": Param(
            "roster",
            type="string",
            enum=list(SOURCES),
            title="Who",
            description="roster: all customers of these organizations. ids, file, query: those who are named below.",
        ),
        "customer_ids": Param(
            None,
            type=["null", "array"],
            items=forms.UUID,
            maxItems=1_000,
            title="Customer ids",
            description="For source ids: one per line. Never phones or cards, for Airflow keeps what is typed here: use a file or a query.",
        ),
        **forms.file_or_query("guests.csv", hint="Write no phone into it."),
        "not_refreshed_since": Param(
            None,
            type=["null", "string"],
            # No format "date-time": whether Airflow then takes a date alone depends on whether rfc3339-validator happens to be installed.
            # No pattern: the form would show it instead of words; `plan` refuses what is no date or time.
            title="Not refreshed since",
            description="A date or time in UTC, such as 2026-09-01T10:00: only those without an answer since then. "
            "Empty: all that are named, but of the roster those never looked up.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Refresh all of them",
            description="However lately they were refreshed. Costs a look-up each.",
        ),
        "cap_per_minute": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=1_000_000,
            title="Calls a minute at most",
            description="Shared by all backfills that have one. Empty means what the call budget has left.",
        ),
        **forms.shards("Identities", settings.SHARD_SIZE),
        **forms.batch_size(),
    },
) as dag:
    plan = SyrvePlanBackfillOperator(
        task_id="plan",
        is_dry_run="{{ params.dry_run }}",
        organization_ids="{{ params.organization_ids }}",
        **forms.SOURCE_ARGUMENTS,
        customer_ids="{{ params.customer_ids }}",
        not_refreshed_since="{{ params.not_refreshed_since }}",
        force="{{ params.force }}",
        cap_per_minute="{{ params.cap_per_minute }}",
        shard_size="{{ params.shard_size }}",
        max_shards="{{ params.max_shards }}",
        pool=settings.POOL,
    )
    pull = SyrvePullCustomersOperator.partial(
        task_id="pull",
        batch_size="{{ params.batch_size }}",
        cap_per_minute="{{ params.cap_per_minute }}",
        pool=settings.POOL,
        max_active_tis_per_dag=settings.BACKFILL_TASKS,
        map_index_template="{{ organization_name | default(task.organization_id) }} / {{ task.shard }}",
    ).expand_kwargs(plan.output)
    publish = SyrvePublishOperator(
        task_id="publish",
        count_task_id="pull",
        trigger_rule=TriggerRule.ALL_DONE,
        outlets=[assets.CUSTOMER, assets.WALLET_BALANCE, assets.CARD, assets.CUSTOMER_CATEGORY],
    )
    pull >> [
        publish,
        SyrveFinishBackfillOperator(task_id="all_pulled", count_task_id="pull", trigger_rule=TriggerRule.NONE_FAILED),
    ]
