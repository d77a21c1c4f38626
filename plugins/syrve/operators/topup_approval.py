"""Asks a person whether a campaign is credited. In a separate module: what it is built on is slow to import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syrve.hooks.warehouse import open_warehouse
from syrve.operators import settings
from syrve.operators.asking import Question, SyrveApproveOperator, yes_or_no

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.wallet.campaign import TopupPlan


class SyrveApproveTopupOperator(SyrveApproveOperator):
    """Asks whether the campaign's version with that digest is credited; the question shows counts and amounts.

    If nothing is left to credit, no one is asked.
    """

    template_fields: Sequence[str] = ("campaign", "digest", "answer_hours")

    def __init__(self, *, campaign: str, digest: str, answer_hours: float | str = 24.0, **kwargs: Any) -> None:
        kwargs.setdefault("limits", settings.TOPUP_LIMITS)
        super().__init__(answer_hours=answer_hours, **kwargs)
        self.campaign = campaign
        self.digest = digest

    def question(self, context: Context) -> Question:
        """Read what would be credited now."""
        from syrve.wallet.topup import present_plan

        with open_warehouse(self.warehouse_conn_id).transaction("read a campaign") as cursor:
            plan = present_plan(cursor, str(self.campaign), str(self.digest))
        what = f"credit {plan.to_credit} row(s) with {plan.to_credit_amount}"
        return Question(plan.content, f"Credit campaign {plan.campaign}?", body(plan), yes_or_no(plan.content, what))

    def reason_for_no_person(self, question: Question) -> str | None:
        """Ask no one if no money would move."""
        return None if question.content.rows else "nothing is left to credit"


def body(plan: TopupPlan) -> str:
    """Return the text of the question; counts and amounts only."""
    would = f"**{plan.to_credit}** row(s) would be credited with **{plan.to_credit_amount}** in all. "
    before = f"Credited before: {plan.credited} with {plan.credited_amount}; outcome unknown, not sent again: {plan.unknown}; "
    rejected = f"could not be imported: {plan.rejected_rows}."
    changes = ", ".join(f"{getattr(plan, name)} {name}" for name in ("added", "changed", "removed"))
    lines = [would + before + rejected, "", f"Version {plan.version} of the list; against the one before: {changes}."]
    if plan.credited_elsewhere:
        lately = "credited within 30 days by another campaign, or by this one under another key"
        lines += ["", f"**{plan.credited_elsewhere} of these customers were {lately}.**"]
    return "\n".join(lines)
