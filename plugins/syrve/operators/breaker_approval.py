"""Asks a person whether a breaker is let through. In a separate module: what it is built on is slow to import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.warehouse import open_warehouse
from syrve.operators.asking import Question, SyrveApproveOperator, yes_or_no
from syrve.operators.rendered import as_text

if TYPE_CHECKING:
    from airflow.sdk import Context


class SyrveApproveBreakerOperator(SyrveApproveOperator):
    """Asks whether what a breaker held at `as_of` is let through; another user than the one who started the run must agree.

    To drop it needs no second person, because both sides stay as they are. Skips itself for a preview.
    """

    template_fields: Sequence[str] = ("breaker_id", "decision", "as_of", "answer_hours")

    def __init__(
        self,
        *,
        breaker_id: int | str,
        decision: str | None,
        as_of: str,
        answer_hours: float | str = 24.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(answer_hours=answer_hours, **kwargs)
        self.breaker_id = breaker_id
        self.decision = decision
        self.as_of = as_of

    def question(self, context: Context) -> Question:
        """Read what the breaker held then."""
        from syrve.approvals.breaker import show_breaker

        decision = as_text(self.decision)
        if decision is None:
            raise AirflowSkipException("A preview: no one is asked")
        shown = show_breaker(
            open_warehouse(self.warehouse_conn_id),
            int(self.breaker_id),
            "let_through" if decision == "let_through" else "dropped",
            as_of=str(self.as_of),
        )
        what = f"let breaker {shown.breaker_id} through"
        return Question(
            shown.content, f"Let breaker {shown.breaker_id} through?", shown.text(), yes_or_no(shown.content, what)
        )

    def reason_for_no_person(self, question: Question) -> str | None:
        """Return why no person needs to be asked to drop."""
        return "dropping changes neither side" if as_text(self.decision) == "dropped" else None
