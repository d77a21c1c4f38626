"""Asks a person which holds to release. In a separate module: what it is built on is slow to import."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.approvals.rules import MoneyLimits, User
from syrve.hooks.warehouse import open_warehouse
from syrve.operators import settings
from syrve.operators.asking import Question, SyrveAskOperator
from syrve.operators.release import DEFAULT_ANSWER_HOURS
from syrve.operators.rendered import as_text
from syrve.release.question import body, options, read_answer, subject

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.approvals.book import Approval
    from syrve.release.record import ReleaseBook
    from syrve.warehouse.database import Cursor

log = logging.getLogger(__name__)


class SyrveApproveReleaseOperator(SyrveAskOperator):
    """Asks a person which of the pinned holds to cancel: all, none or some; no answer in time is a no. Returns counts by decision.

    The question shows ids, amounts, ages, rules and severities. It is answered once: a task that is cleared after that asks no one. Skips
    itself where there is no question. Raises `AnswerUnclear` if the answer contradicts itself; cleared, it asks again.
    """

    template_fields: Sequence[str] = ("request_id", "answer_hours")

    def __init__(
        self,
        *,
        request_id: str | None,
        answer_hours: float | str = DEFAULT_ANSWER_HOURS,
        limits: MoneyLimits | None = settings.RELEASE_LIMITS,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple=True, answer_hours=answer_hours, **kwargs)
        self.request_id = request_id
        self.limits = limits

    def question(self, context: Context) -> Question:
        """Read the holds as they were pinned."""
        if as_text(self.request_id) is None:
            raise AirflowSkipException("There is nothing to ask about")
        book = self._releases(context)
        content = book.content(str(self.request_id))
        shown = [each.shown for each in book.holds(str(self.request_id))]
        return Question(content, subject(shown), body(shown), options(shown, content.digest))

    def decide(self, context: Context, question: Question, chosen: Sequence[str], user: User) -> Approval:
        """Record which holds are approved, kept and left, together with the approval."""
        releases = self._releases(context)
        holds = releases.holds(str(self.request_id))
        decision = read_answer([each.shown for each in holds], chosen)
        amount = sum((each.shown.amount for each in holds if each.shown.release_id in decision.approved), Decimal(0))

        def write(cursor: Cursor) -> None:
            releases.decide(cursor, holds, decision, decided_by=user.name or user.user_id)

        if not decision.approved:
            return self.book(context).close(question.content, "rejected", user=user, also=write)
        return self.approve(context, question, user, limits=self.limits, amount=amount, also=write)

    def expire(self, context: Context, question: Question) -> Approval:
        """Record that no answer came in time."""
        releases = self._releases(context)
        holds = releases.holds(str(self.request_id))
        return self.book(context).close(question.content, "expired", also=lambda cursor: releases.expire(cursor, holds))

    def conclude(self, context: Context, approval: Approval) -> Any:
        """Return the counts by decision; the release task skips itself where nothing was approved."""
        states = [each.state for each in self._releases(context).holds(str(self.request_id))]
        counts = {state: states.count(state) for state in sorted(set(states))}
        log.info("Decided: %s", ", ".join(f"{state} {count}" for state, count in counts.items()))
        return counts

    def _releases(self, context: Context) -> ReleaseBook:
        from syrve.release.record import ReleaseBook

        return ReleaseBook(open_warehouse(self.warehouse_conn_id), run_id=context["run_id"])
