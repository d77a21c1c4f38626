"""Asks a person before a large push. In a separate module: what it is built on is slow to import."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from syrve.hooks.warehouse import open_warehouse
from syrve.operators.asking import Question, SyrveApproveOperator, yes_or_no

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SyrveApprovePushOperator(SyrveApproveOperator):
    """Lets a plan of up to `approval_customers` customers pass, and asks a person about a larger one; no answer in time is a no.

    The question shows counts and field names. A rejected plan is not sent; the next run makes a new plan. No money moves, so the one who
    started the
    run may approve it.
    """

    template_fields: Sequence[str] = ("approval_customers",)
    two_people: ClassVar[bool] = False

    def __init__(self, *, approval_customers: int | str = 1_000, response_hours: float = 24.0, **kwargs: Any) -> None:
        super().__init__(**({"answer_hours": response_hours} | kwargs))
        self.approval_customers = approval_customers

    def question(self, context: Context) -> Question | None:
        """Read what the run's latest plan would send; None in a dry run."""
        from syrve.crm.verdict import content_of_plan, plan_of_run

        warehouse = open_warehouse(self.warehouse_conn_id)
        found = plan_of_run(warehouse, context["run_id"])
        if found is None or found[1]:
            log.info("No approval is needed")
            return None
        plan = found[0]
        content = content_of_plan(warehouse, plan.plan_id)
        body = f"{plan.summary()}\n\nThe exact changes are in crm.push_plan, plan_id {plan.plan_id}."
        return Question(
            content, "Send this push to Syrve?", body, yes_or_no(content, f"send {content.rows} customer(s)")
        )

    def reason_for_no_person(self, question: Question) -> str | None:
        """Ask no one about a small plan."""
        most = int(self.approval_customers)
        return f"at most {most} customers" if question.content.rows <= most else None
