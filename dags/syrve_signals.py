"""
### Follow signals: webhooks, balance notifications, the order feed (live service only)

Takes the signals that wait, adds unknown customers to the roster, looks up whom they are about, and reports the states of orders to the
ledger. A run listens for some time (`SYRVE_SIGNALS_LISTEN_SECONDS`), so that with a run per minute a signal is followed within seconds.
Under the dialect `reference` it skips itself.

**Tasks.** `follow`. **Safe to** run twice, run beside itself and beside every pull, clear, or kill: a batch commits as a whole.

**When it fails** the errors and what to do about them are those of `syrve_customers`. Signals wait until then.

**Where to look.** `analytics.signal_quality`: what came, and the outcome, by day.
"""

from __future__ import annotations

from airflow.sdk import DAG

from syrve.operators import assets, settings
from syrve.operators.signals import SyrveFollowSignalsOperator

with DAG(
    dag_id="syrve_signals",
    dag_display_name="Syrve: signals",
    description="Follows signals: looks up whom they are about within seconds",
    doc_md=__doc__,
    schedule=settings.schedule("signals", "none"),
    catchup=False,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=1,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "pull"],
) as dag:
    SyrveFollowSignalsOperator(
        task_id="follow",
        syrve_conn_id=settings.SIGNALS_CONNECTION,
        listen_seconds=settings.SIGNALS_LISTEN_SECONDS,
        pool=settings.POOL,
        outlets=[
            assets.ORGANIZATION,
            assets.CUSTOMER,
            assets.WALLET_BALANCE,
            assets.CARD,
            assets.CUSTOMER_CATEGORY,
            assets.ROSTER,
            assets.PAYMENT_ORDER,
        ],
    )
