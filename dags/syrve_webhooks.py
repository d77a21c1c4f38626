"""
### Show and set the webhooks of organizations (live service only)

Shows where Syrve sends the webhooks of each organization, and which. With an address and *Send* it has order events sent there too, with a
separate secret; what others have set stays. Under the dialect `reference` it skips itself.

**Tasks.** `webhooks`. **Safe to** run twice, clear, or kill: what is set already is not set again. With *New secret* each run and
each repeat makes another one: Syrve has the last, and the former ones stay good until they are retired, so no webhook is lost.

**When it fails** with `UnlistedAddress`, the address is not in `SYRVE_SIGNALS_ADDRESSES`: webhooks go only where the settings say. With
`WebhooksTaken`, the webhooks go to another address, of which an organization has only one: let that receiver pass them on, or move them.
With `SomeLeftOut`, the organizations that it names were refused, or others have set what cannot be added to: nothing of theirs was
changed, and the others are done. The reasons are in `sync.reject` too, and go from there once the organization is set up.
Balance notifications are set up in Syrve's back office, see docs/signals.md.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from syrve.operators import forms, settings
from syrve.operators.signals import SyrveWebhooksOperator

with DAG(
    dag_id="syrve_webhooks",
    dag_display_name="Syrve: webhooks",
    description="Shows and sets where Syrve sends webhooks",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    allowed_run_types=settings.NO_BACKFILLS,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=1,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "ops"],
    params={
        **forms.preview_or_send(
            "shows what is set, and what would be added.",
            "adds it at Syrve.",
            "There is no schedule.",
        ),
        **forms.organization_ids(),
        "url": Param(
            None,
            type=["null", "string"],
            title="Address of the receiver",
            description="One of SYRVE_SIGNALS_ADDRESSES. Empty: only show what is set.",
        ),
        "may_move": Param(
            False,
            type="boolean",
            title="Move them",
            description="Webhooks that go to another address are sent here instead.",
        ),
        "renew": Param(
            False,
            type="boolean",
            title="New secret",
            description="Make another secret; the former ones stay good until they are retired.",
        ),
    },
) as dag:
    SyrveWebhooksOperator(
        task_id="webhooks",
        syrve_conn_id=settings.SIGNALS_CONNECTION,
        organization_ids="{{ params.organization_ids }}",
        url="{{ params.url }}",
        is_dry_run="{{ params.dry_run }}",
        may_move="{{ params.may_move }}",
        renew="{{ params.renew }}",
        pool=settings.POOL,
    )
