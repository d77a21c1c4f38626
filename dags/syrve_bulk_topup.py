"""
### Credit a campaign's list, each row at most once

Reads a list of customers and amounts, plans a top-up for each row in the ledger (`wallet.operation`), shows count and total to a person,
and after approval sends the rows one by one. The campaign's id is the namespace of the rows: running the same list again, or one that
overlaps it, credits nobody twice. A row is `key` if the list has it, else customer and wallet.

**Rows** have the columns `customer_id` or `phone`, `amount`, and may have `organization_id`, `wallet_id`, `key`. Customers and wallets are
those of the mirror (`syrve.customer`, `syrve.wallet_balance`).

**Tasks.** `plan` reads and plans (a dry run, the default, only tells); `gate` ends a dry run; `approve` waits for a person
(*Required actions*); `send` sends what was approved and no more.

**Safe to** run twice, run beside itself, clear, or kill at any moment. A row whose outcome is unknown is never sent again; it is settled by
evidence when `send` runs the next time, or by a person.

**When it fails**

| the task says | do |
| --- | --- |
| `UnusableSource` | put the list or the form right, start another run |
| `PlanChanged` | the campaign got other rows meanwhile: start another run and approve its total |
| `TopupIncomplete` | nothing: it is retried; if it keeps failing, mend what it names and clear `send` |
| `PaymentUnsettled` | all other rows are done; look at `wallet.unsettled_operation`, and clear `send` to look for evidence again |

Rows that could not be taken in, or were refused by Syrve, are in `sync.reject`, entity `topup`. To give a campaign up, run it with
*Give up*: what was not sent never will be.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param

from syrve.operators import assets, forms, settings
from syrve.operators.topup import SOURCES, SyrvePlanTopupOperator, SyrveSendTopupOperator, SyrveTopupGateOperator

with DAG(
    dag_id="syrve_bulk_topup",
    description="Credits a campaign's list, each row at most once, after approval",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "wallet"],
    params={
        "campaign": Param(
            "unnamed",
            type="string",
            pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$",
            title="Campaign",
            description="Its id: letters, digits, dots and dashes. The same id is the same campaign, which credits each row once.",
        ),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Tell what would be credited, and stop."),
        **forms.source(SOURCES, "file"),
        **forms.file_or_query("spring.csv"),
        **forms.organization_of_rows(),
        "wallet_type": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=4,
            title="Type of wallet",
            description="For rows that name no wallet: 0 deposit, 1 bonus, 2 products, 3 discount, 4 certificate.",
        ),
        "comment": Param(
            None,
            type=["null", "string"],
            maxLength=100,
            title="Comment",
            description="Sent along with each top-up; no personal data.",
        ),
        "give_up": Param(
            False, type="boolean", title="Give up", description="Drop what the campaign has planned and not sent."
        ),
    },
) as dag:
    plan = SyrvePlanTopupOperator(
        task_id="plan",
        campaign="{{ params.campaign }}",
        source="{{ params.source }}",
        path="{{ params.path }}",
        path_conn_id="{{ params.path_conn_id }}",
        query="{{ params.query }}",
        query_conn_id="{{ params.query_conn_id }}",
        file_format=forms.FILE_FORMAT,
        organization_id="{{ params.organization_id }}",
        wallet_type="{{ params.wallet_type }}",
        comment="{{ params.comment }}",
        is_dry_run="{{ params.dry_run }}",
        give_up="{{ params.give_up }}",
    )
    gate = SyrveTopupGateOperator(
        task_id="gate",
        is_dry_run="{{ params.dry_run }}",
        to_send="{{ ti.xcom_pull(task_ids='plan')['to_credit'] + ti.xcom_pull(task_ids='plan')['unknown'] }}",
    )
    approve = ApprovalOperator(
        task_id="approve",
        subject="Credit campaign {{ params.campaign }}?",
        body=(
            "**{{ ti.xcom_pull(task_ids='plan')['to_credit'] }}** row(s) would be credited with "
            "**{{ ti.xcom_pull(task_ids='plan')['to_credit_amount'] }}** in all. "
            "Credited before: {{ ti.xcom_pull(task_ids='plan')['credited'] }} with "
            "{{ ti.xcom_pull(task_ids='plan')['credited_amount'] }}; outcome unknown, not sent again: "
            "{{ ti.xcom_pull(task_ids='plan')['unknown'] }}; could not be taken in: "
            "{{ ti.xcom_pull(task_ids='plan')['rejected_rows'] }}."
        ),
        response_timeout=timedelta(days=7),
    )
    send = SyrveSendTopupOperator(
        task_id="send",
        campaign="{{ params.campaign }}",
        digest="{{ ti.xcom_pull(task_ids='plan')['digest'] }}",
        pool=settings.POOL,
        outlets=[assets.OPERATION],
    )
    plan >> gate >> approve >> send
