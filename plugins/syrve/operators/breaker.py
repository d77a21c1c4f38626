"""Operators that show what a breaker holds back, and carry a person's decision about it out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.operators.base import WarehouseOperator, planning_run_of, run_of
from syrve.operators.forms import PREVIEW
from syrve.operators.rendered import as_number, as_text

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.approvals.breaker import Decision

log = logging.getLogger(__name__)

LET_THROUGH, DROP = "Let through", "Drop"
CHOICES: dict[str, Decision | None] = {PREVIEW: None, LET_THROUGH: "let_through", DROP: "dropped"}


class SyrveShowBreakerOperator(WarehouseOperator):
    """Says what a breaker holds now and what each decision would do; returns `breaker_id`, `decision`, `as_of` and `held`.

    `choice` is Preview, Let through or Drop; the decision of a preview is None, and nothing comes of it. Raises `NothingToDecide`, which
    names the breakers that wait.
    """

    template_fields: Sequence[str] = ("breaker_id", "choice")

    def __init__(self, *, breaker_id: int | str | None, choice: str = PREVIEW, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.breaker_id = breaker_id
        self.choice = choice

    def execute(self, context: Context) -> dict[str, Any]:
        """Read and tell."""
        from syrve.approvals.book import ApprovalBook
        from syrve.approvals.breaker import show_breaker

        if self.choice not in CHOICES:
            raise ValueError(f"decide a breaker: the choice must be one of {', '.join(CHOICES)}")
        decision, breaker_id, warehouse = CHOICES[self.choice], as_number(self.breaker_id) or 0, self.warehouse()
        run = planning_run_of(context, warehouse) if decision is not None else run_of(context)
        for each in [decision] if decision else CHOICES.values():
            if each is not None:
                shown = show_breaker(warehouse, breaker_id, each)
                log.info("%s: %s", "Let through" if each == "let_through" else "Drop", shown.text())
        if decision is not None:
            ApprovalBook(warehouse, run).plan(shown.content)
        return shown.as_dict() | {"decision": decision}


class SyrveDecideBreakerOperator(WarehouseOperator):
    """Lets a breaker through or drops it, as the run's approval says; returns how many identities are due. Safe to repeat."""

    template_fields: Sequence[str] = ("breaker_id", "decision", "as_of")

    def __init__(self, *, breaker_id: int | str, decision: str | None, as_of: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.breaker_id = breaker_id
        self.decision = decision
        self.as_of = as_of

    def execute(self, context: Context) -> dict[str, Any]:
        """Decide. Raises `NotApproved` and `NothingToDecide`."""
        from syrve.approvals.breaker import decide_breaker

        decision = as_text(self.decision)
        if decision is None:
            raise AirflowSkipException("A preview: nothing is decided")
        due = decide_breaker(
            self.warehouse(),
            int(self.breaker_id),
            "let_through" if decision == "let_through" else "dropped",
            as_of=str(self.as_of),
            run=run_of(context),
        )
        log.info("Breaker %s is %s; %d identities are due", self.breaker_id, decision, due)
        return {"due": due}
