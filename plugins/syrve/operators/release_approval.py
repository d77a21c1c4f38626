"""Asks a person which holds to release. In a module of its own: what it is built on is slow to import."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowSkipException

from syrve.findings.release_question import FIXED_OPTIONS, body, options, read_answer, subject
from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_warehouse
from syrve.operators.release import DEFAULT_ANSWER_HOURS
from syrve.operators.rendered import as_text

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.findings.release_book import AskedHold, ReleaseBook

log = logging.getLogger(__name__)


class SyrveApproveReleaseOperator(HITLOperator):
    """Asks a person which of the pinned holds to cancel: all, none or some; no answer in time is a no. Returns counts by decision.

    The question shows ids, amounts, ages, rules and severities. It is answered once: a task that is cleared after that asks nobody. Skips
    itself where there is no question. Raises `AnswerUnclear` where the answer contradicts itself; cleared, it asks again.
    """

    template_fields: Sequence[str] = ("request_id", "answer_hours")

    def __init__(
        self,
        *,
        request_id: str | None,
        answer_hours: float | str = DEFAULT_ANSWER_HOURS,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        # The real question is made when the task runs: Airflow takes these as they are then.
        kwargs.setdefault("response_timeout", timedelta(hours=DEFAULT_ANSWER_HOURS))
        super().__init__(subject="Release holds?", options=list(FIXED_OPTIONS), multiple=True, **kwargs)
        self.request_id = request_id
        self.answer_hours = answer_hours
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> Any:
        """Ask, unless that was done."""
        if as_text(self.request_id) is None:
            raise AirflowSkipException("There is nothing to ask about")
        holds = self._book(context).holds(str(self.request_id))
        if all(each.is_decided for each in holds):
            log.info("The question was answered before")
            return _told(holds)
        shown = self._show(holds)
        self.subject, self.body = subject(shown), body(shown)
        self.response_timeout = timedelta(hours=float(self.answer_hours))
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Write the answer down."""
        book = self._book(context)
        request_id = str(self.request_id)
        if event.get("error_type") == "timeout":
            log.warning("Nobody answered in time: nothing is released")
            return _told(book.expire(request_id))
        shown = self._show(book.holds(request_id))
        answer = super().execute_complete(context, event)
        user = answer["responded_by_user"] or {}
        decision = read_answer(shown, answer["chosen_options"])
        return _told(book.decide(request_id, decision, decided_by=user.get("name") or user.get("id")))

    def _book(self, context: Context) -> ReleaseBook:
        from syrve.findings.release_book import ReleaseBook

        return ReleaseBook(open_warehouse(self.warehouse_conn_id), run_id=context["run_id"])

    def _show(self, holds: Sequence[AskedHold]) -> list[Any]:
        shown = [each.shown for each in holds]
        self.options = options(shown)
        return shown


def _told(holds: Sequence[AskedHold]) -> dict[str, int]:
    states = [each.state for each in holds]
    counts = {state: states.count(state) for state in sorted(set(states))}
    log.info("Decided: %s", ", ".join(f"{state} {count}" for state, count in counts.items()))
    return counts
