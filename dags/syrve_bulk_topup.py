"""
### Credit a campaign's list, each row at most once

Reads a list of customers and amounts, keeps it as a version of the campaign, shows count, total and what changed against the version before
to a person, and after approval sends the rows one by one. The campaign's id is the namespace of the rows: running the same list again, or
one that overlaps it, credits no customer twice. A row is `key` if the list has it, else customer and wallet.

**Rows** have the columns `customer_id` or `phone`, `amount`, and may have `organization_id`, `wallet_id`, `key`. Customers and wallets are
those of the mirror (`syrve.customer`, `syrve.wallet_balance`). A row that is in the list twice, or whose `customer_id` and `phone`
disagree, is a reject.

**Tasks.** `plan` reads the list (Preview, the default, keeps nothing); `gate` ends a preview; `approve` waits for a person other than the
one who started the run (*Required actions*); `send` sends what this run's approval names, and no more. Who asked and who approved is in
`sync.approval_state`. Amounts are limited per row, run and day (`SYRVE_TOPUP_MAX_AMOUNT_PER_ROW`, `_PER_RUN`, `_PER_DAY`).

**Safe to** run twice, run beside itself, clear, or kill at any moment. A row whose outcome is unknown is never sent again; it is settled by
evidence when `send` runs the next time, or by a person.

**When it fails**

| the task says | do |
| --- | --- |
| `UnusableSource`, `UnusableOperation` | put the list or the form right, start another run |
| `PlanChanged`, `QuestionOutdated` | the campaign got another list after the question was shown: start another run and approve its total |
| `NotApproved` | it was not approved: answer `approve`, or start another run; marking `approve` as success approves nothing |
| `LimitExceeded` | raise the limit that it names, or send less |
| `TopupIncomplete` | nothing: it is retried; if it keeps failing, correct what it names and clear `send` |
| `PaymentUnsettled` | all other rows are done; look at `wallet.unsettled_operation`, and clear `send` to look for evidence again |

Rows that could not be imported, or were refused by Syrve, are in `sync.reject`, entity `topup`. To give a campaign up, run it with
*Give up* and *Send*: what was not sent never will be, unless another list is planned and approved.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from syrve.operators import assets, forms, settings
from syrve.operators.topup import SOURCES, SyrvePlanTopupOperator, SyrveSendTopupOperator, SyrveTopupGateOperator
from syrve.operators.topup_approval import SyrveApproveTopupOperator

with DAG(
    dag_id="syrve_bulk_topup",
    dag_display_name="Syrve: top up a list",
    description="Credits a campaign's list, each row at most once, after approval",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    allowed_run_types=settings.NO_BACKFILLS,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "wallet"],
    params={
        "campaign": Param(
            "",
            type="string",
            maxLength=100,
            title="Campaign",
            description="Its id: letters, digits, dots and dashes. The same id is the same campaign, which credits each row once.",
        ),
        **forms.preview_or_send(
            "show what would be credited, and stop.",
            "credit the list once another person has approved it.",
            "It has no schedule.",
        ),
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
            False,
            type="boolean",
            title="Give up",
            description="Leave nothing of the campaign to send; no list is read. Preview only says what that is.",
        ),
    },
) as dag:
    plan = SyrvePlanTopupOperator(
        task_id="plan",
        campaign="{{ params.campaign }}",
        **forms.SOURCE_ARGUMENTS,
        organization_id="{{ params.organization_id }}",
        is_dry_run="{{ params.dry_run }}",
        wallet_type="{{ params.wallet_type }}",
        comment="{{ params.comment }}",
        give_up="{{ params.give_up }}",
    )
    gate = SyrveTopupGateOperator(
        task_id="gate",
        is_dry_run="{{ params.dry_run }}",
        to_send="{{ ti.xcom_pull(task_ids='plan')['is_to_be_asked'] }}",
    )
    approve = SyrveApproveTopupOperator(
        task_id="approve",
        campaign="{{ params.campaign }}",
        digest="{{ ti.xcom_pull(task_ids='plan')['digest'] }}",
        answer_hours=7 * 24,
    )
    send = SyrveSendTopupOperator(
        task_id="send",
        campaign="{{ params.campaign }}",
        digest="{{ ti.xcom_pull(task_ids='plan')['digest'] }}",
        pool=settings.POOL,
        outlets=[assets.OPERATION],
    )
    plan >> gate >> approve >> send
