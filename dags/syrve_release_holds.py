"""
### Release holds that reconciliation found dangling, once a person agrees

Shows the holds of the chosen findings to a person (*Required actions*): ids, amounts, ages, rules and severities. The person chooses all,
none or some; the chosen holds are cancelled through the ledger, and their money is the guests' again. `docs/wallet.md` says more.

**By hand it is a preview** unless *Send* is chosen (`"dry_run": false`): it says what would be asked, and writes nothing. By itself it
asks only
where `SYRVE_RELEASE_HOLDS_SCHEDULE` is set.

**Two people.** The one who started the run can't approve it (`SYRVE_SELF_APPROVAL`); a run by schedule needs one person. Amounts are
limited
per hold, run and day (`SYRVE_RELEASE_MAX_AMOUNT_PER_ROW`, `_PER_RUN`, `_PER_DAY`). Who asked and who approved is in `sync.approval_state`.

**Which holds.** Those of open findings by rule, severity and age, the gravest and oldest first, up to a number and an amount; or those of
the findings that are named by id, acknowledged ones too. A hold that another run asks about is left out. By default only the rules by
which the hold is no longer needed: `charged_hold_open` and `order_failed_hold_open`.

**Tasks.** `plan` chooses the holds and pins them as they are shown (`wallet.release`); `approve` waits for a person, and for no longer than
the form says; `release` cancels what was approved, reads the balance back, and closes the findings with the evidence.

**The answer.** One option a hold, *Release all*, *Release none*. What is not chosen is asked about again by the next run, unless *Keep the
rest* is chosen too: then its findings are acknowledged. No answer in time releases nothing.

**Safe to** run twice, run beside itself, clear, or kill at any moment. All approvals of one hold are one cancellation, sent at most once.
A hold that was cancelled, consumed or otherwise changed after it was shown is not cancelled; Syrve's word that a hold is over or unknown
is not believed before evidence shows what ended it.

**When it fails**

| the task says | do |
| --- | --- |
| `QuestionOutdated` | what was shown has changed since: start another run |
| `NotApproved` | it was not approved: answer `approve`, or start another run; marking `approve` as success approves nothing |
| `LimitExceeded` | raise the limit that it names, or release less |
| `AnswerUnclear` | nothing was released: clear `approve`, and answer again |
| `ReleaseIncomplete` | nothing: it is retried; if it keeps failing, mend what it names and clear `release` |
| `PaymentUnsettled` | all other holds are done; `wallet.release_state` says what is missing; clear `release` to look for evidence again |
| `ConfigurationError` | put the organization in the form right, or let the login see it |

**Where to look.** `select * from wallet.release_state`: every hold that was asked about, who decided what, and the outcome.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from syrve.operators import assets, forms, settings
from syrve.operators.release import (
    DEFAULT_ANSWER_HOURS,
    DEFAULT_RULES,
    RULES,
    SEVERITIES,
    SyrvePlanReleaseOperator,
    SyrveReleaseHoldsOperator,
)
from syrve.operators.release_approval import SyrveApproveReleaseOperator

with DAG(
    dag_id="syrve_release_holds",
    dag_display_name="Syrve: release holds",
    description="Asks a person, then cancels the approved holds",
    doc_md=__doc__,
    schedule=settings.schedule_or_asset("release_holds", "none", assets.FINDING),
    catchup=False,
    allowed_run_types=settings.NO_BACKFILLS,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "wallet"],
    params={
        **forms.preview_or_send(
            "show which holds would be asked about; ask no one and release nothing.",
            "ask another person, and release what they choose.",
            settings.armed("release_holds"),
        ),
        **forms.organization_ids(),
        "rules": Param(
            list(DEFAULT_RULES),
            type="array",
            items={"type": "string", "enum": list(RULES)},
            examples=list(RULES),
            minItems=1,
            title="Rules",
            description="Whose findings to ask about.",
        ),
        "min_severity": Param("low", type="string", enum=list(SEVERITIES), title="Severity at least"),
        "min_age_minutes": Param(
            60,
            type="integer",
            minimum=0,
            maximum=10_000_000,
            title="Held for at least (minutes)",
            description="A younger hold may belong to an order under way.",
        ),
        "finding_ids": Param(
            None,
            type=["null", "array"],
            items=forms.UUID,
            maxItems=100,
            title="Findings",
            description="Ids of wallet.finding, one per line: these, of any rule, severity and age.",
        ),
        "max_holds": Param(
            20,
            type="integer",
            minimum=1,
            maximum=100,
            title="Maximum holds",
            description="The rest waits for another run.",
        ),
        "max_amount": Param(
            None,
            type=["null", "string"],
            title="At most this much money",
            description=(
                f"Of all holds together, such as 5000.00; empty means {settings.RELEASE_LIMITS.per_run:f}, "
                "the limit of a run (SYRVE_RELEASE_MAX_AMOUNT_PER_RUN)."
            ),
        ),
        "answer_hours": Param(
            DEFAULT_ANSWER_HOURS,
            type="number",
            exclusiveMinimum=0,
            maximum=168,
            title="Wait for an answer (hours)",
            description="After that nothing is released.",
        ),
    },
) as dag:
    plan = SyrvePlanReleaseOperator(
        task_id="plan",
        is_dry_run="{{ params.dry_run }}",
        organization_ids="{{ params.organization_ids }}",
        rules="{{ params.rules }}",
        min_severity="{{ params.min_severity }}",
        min_age_minutes="{{ params.min_age_minutes }}",
        finding_ids="{{ params.finding_ids }}",
        max_holds="{{ params.max_holds }}",
        max_amount="{{ params.max_amount }}",
        answer_hours="{{ params.answer_hours }}",
    )
    approve = SyrveApproveReleaseOperator(
        task_id="approve",
        request_id="{{ ti.xcom_pull(task_ids='plan')['request_id'] }}",
        answer_hours="{{ params.answer_hours }}",
    )
    release = SyrveReleaseHoldsOperator(
        task_id="release",
        request_id="{{ ti.xcom_pull(task_ids='plan')['request_id'] }}",
        pool=settings.POOL,
        outlets=[assets.OPERATION],  # not the findings: a run by asset would start the next one
    )
    plan >> approve >> release
