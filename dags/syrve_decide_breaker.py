"""
### Let what a breaker held back through, or drop it

A breaker holds back a change of too many customers at once: customers of whom Syrve says that they are gone or have
nothing any more (`customers_gone`), or one field that the CRM would change (`push`). The alert, the page's inbox and `sync.breaker` give
its number.

**Preview** (the default) says how many customers it holds and what each decision does; it decides nothing.
**Let through**: another person than the one who started this run must approve it. **Drop** needs no second person: both sides stay as they
are.

Decided is what the breaker held when this run began. What it held later waits under a new number.

**Tasks.** `show` counts; `approve` asks; `decide` carries it out. **Safe to** run twice, clear, or kill.

**When it fails** with `NothingToDecide`, the text names the breakers that wait. `NotApproved`: it was not approved in time; start another
run.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from syrve.operators import forms, settings
from syrve.operators.breaker import CHOICES, SyrveDecideBreakerOperator, SyrveShowBreakerOperator
from syrve.operators.breaker_approval import SyrveApproveBreakerOperator

with DAG(
    dag_id="syrve_decide_breaker",
    dag_display_name="Syrve: decide breaker",
    description="Lets a mass change that was held back through, or drops it",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    allowed_run_types=settings.NO_BACKFILLS,
    on_failure_callback=settings.failure_notifier(),
    max_active_runs=3,
    render_template_as_native_obj=True,
    default_args=settings.default_args(),
    tags=["syrve", "upkeep"],
    params={
        "breaker_id": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=2**53,
            title="Breaker",
            description="Its number, as in the alert. Empty: the run names those that wait.",
        ),
        "choice": Param(forms.PREVIEW, type="string", enum=list(CHOICES), title="Preview, let through or drop"),
    },
) as dag:
    show = SyrveShowBreakerOperator(task_id="show", breaker_id="{{ params.breaker_id }}", choice="{{ params.choice }}")
    decided = {
        name: f"{{{{ ti.xcom_pull(task_ids='show')['{name}'] }}}}" for name in ("breaker_id", "decision", "as_of")
    }
    approve = SyrveApproveBreakerOperator(task_id="approve", **decided)
    show >> approve >> SyrveDecideBreakerOperator(task_id="decide", **decided)
