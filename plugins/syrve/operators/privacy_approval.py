"""Asks a person whether people are erased. In a separate module: what it is built on is slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syrve.hooks.warehouse import open_warehouse
from syrve.operators.asking import Question, SyrveApproveOperator, yes_or_no
from syrve.operators.base import run_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class SyrveApproveErasureOperator(SyrveApproveOperator):
    """Asks whether the people that this run has pinned are erased; another user than the one who started it must agree."""

    def question(self, context: Context) -> Question:
        """Read what the run asks for."""
        from syrve.privacy.erase import content_of

        run = run_of(context)
        with open_warehouse(self.warehouse_conn_id).transaction("read an erasure") as cursor:
            content = content_of(cursor, run)
        body = (
            f"**{content.rows}** person(s) would be erased from the mirror, its history, the roster, rejects and the CRM's tables. "
            "Money stays under a pseudonym. This can not be undone.\n\n"
            "Syrve itself is not changed: have the customer deleted there first.\n\n"
            "Look at whom it is about, as a log-in of `syrve_ops`: the columns `organization_id` and `customer_id` of "
            f"`privacy.erasure`, where `dag_id` is `{run.dag_id}` and `run_id` is `{run.run_id}`."
        )
        return Question(content, "Erase these people?", body, yes_or_no(content, f"erase {content.rows} person(s)"))
