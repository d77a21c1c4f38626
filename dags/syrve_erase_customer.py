"""
### Forget a person everywhere

Erases customers from the mirror, its history, the roster, rejects and what the CRM wanted of them. Money rows stay, under a pseudonym, so
that totals stay right. Keyed hashes stay too, so that no pull, import or change of the CRM brings the person back.

**Before:** have the customer deleted in Syrve and in the CRM. This DAG changes neither.

**Who.** Source *ids*: customer ids of one organization. Source *file* or *query*: rows with `organization_id` and `id`, `phone` or
`card`, as for a roster import. Never type a phone into the form: Airflow keeps it.

**Tasks.** `plan` counts who would be erased and, with *Send*, pins them; `gate` ends a preview; `approve` waits for a person other than
the one who started the run (*Required actions*); `erase` does what was approved, one transaction per person, and writes receipts into the
folder `erasures` of the reports.

**Safe to** run twice, clear, or kill: a person is erased whole or not at all, and `erase` goes on with those that are left.

**When it fails**

| the task says | do |
| --- | --- |
| `UnusableRequest`, `UnusableSource` | correct the form or the file, start another run |
| `NotApproved` | answer `approve`, or start another run; marking it as success approves nothing |
| `ErasureHindered` | money is on hold or unsettled, or a change is being sent: settle it; the task is retried, or clear `erase` |

Keep the receipts and a copy of `secret.erasure_key` with your backups: after a restore, `syrve_maintenance` forgets these people again.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from syrve.operators import forms, settings
from syrve.operators.privacy import SOURCES, SyrveEraseOperator, SyrveErasureGateOperator, SyrvePlanErasureOperator
from syrve.operators.privacy_approval import SyrveApproveErasureOperator

with DAG(
    dag_id="syrve_erase_customer",
    dag_display_name="Syrve: erase a customer",
    description="Forgets a person everywhere, after approval",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    allowed_run_types=settings.NO_BACKFILLS,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "privacy"],
    params={
        **forms.preview_or_send(
            "count who would be erased, and stop.",
            "erase them once another person has approved it. It can't be undone.",
            "It has no schedule.",
        ),
        **forms.source(SOURCES, "ids"),
        **forms.organization_of_rows(),
        "customer_ids": Param(
            None,
            type=["null", "array"],
            items=forms.UUID,
            maxItems=1_000,
            title="Customer ids",
            description="For source ids: one per line, of the organization above. Never phones or cards: use a file or a query.",
        ),
        **forms.file_or_query("erase.csv", hint="Write no phone into it."),
    },
) as dag:
    plan = SyrvePlanErasureOperator(
        task_id="plan",
        is_dry_run="{{ params.dry_run }}",
        **forms.SOURCE_ARGUMENTS,
        organization_id="{{ params.organization_id }}",
        customer_ids="{{ params.customer_ids }}",
    )
    gate = SyrveErasureGateOperator(
        task_id="gate", is_to_be_asked="{{ ti.xcom_pull(task_ids='plan')['is_to_be_asked'] }}"
    )
    approve = SyrveApproveErasureOperator(task_id="approve", answer_hours=7 * 24)
    plan >> gate >> approve >> SyrveEraseOperator(task_id="erase")
