"""Operators of the release: choose the holds to ask about, and cancel those that were approved. The question is in `release_approval`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve import severity
from syrve.operators import settings
from syrve.operators.base import SyrveOperator, format_counts, planning_run_of, run_of, task_key
from syrve.operators.forms import reads_as_dry_run
from syrve.operators.rendered import as_number, as_text, as_texts
from syrve.operators.wallet import WalletOperator, as_amount
from syrve.release import policy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.approvals.rules import MoneyLimits
    from syrve.release.choosing import ReleaseChoice, ReleasePlan

log = logging.getLogger(__name__)

DEFAULT_ANSWER_HOURS = 24.0
RULES, DEFAULT_RULES, SEVERITIES = policy.RULES, policy.DEFAULT_RULES, severity.SEVERITIES


class SyrvePlanReleaseOperator(SyrveOperator):
    """Chooses findings, pins their holds as a person will see them, and returns counts, the amount and `request_id`.

    `request_id` is None in a dry run, which writes nothing, and where there is nothing to ask. `finding_ids`, where given, counts instead
    of rules, severity and age; `is_dry_run` left empty means a dry run when a person started the run, and no other.
    """

    template_fields: Sequence[str] = (
        "organization_ids",
        "rules",
        "min_severity",
        "min_age_minutes",
        "finding_ids",
        "max_holds",
        "max_amount",
        "answer_hours",
        "is_dry_run",
    )
    reads = ("wallet.finding",)
    writes = ("wallet.release",)

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        rules: Sequence[str] | str = DEFAULT_RULES,
        min_severity: str = "low",
        min_age_minutes: int | str = 60,
        finding_ids: list[str] | str | None = None,
        max_holds: int | str = 20,
        max_amount: Decimal | str | int | None = None,
        answer_hours: float | str = DEFAULT_ANSWER_HOURS,
        is_dry_run: bool | str | None = None,
        limits: MoneyLimits = settings.RELEASE_LIMITS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids
        self.rules = rules
        self.min_severity = min_severity
        self.min_age_minutes = min_age_minutes
        self.finding_ids = finding_ids
        self.max_holds = max_holds
        self.max_amount = max_amount
        self.answer_hours = answer_hours
        self.is_dry_run = is_dry_run
        self.limits = limits

    def execute(self, context: Context) -> dict[str, Any]:
        """Choose."""
        from syrve.approvals.book import ApprovalBook
        from syrve.approvals.errors import NotApproved
        from syrve.release.choosing import ReleasePlanner
        from syrve.release.record import ReleaseBook

        dry_run = reads_as_dry_run(self.is_dry_run, context)
        warehouse = self.warehouse()
        run = run_of(context) if dry_run else planning_run_of(context, warehouse)
        book = ReleaseBook(warehouse, run_id=context["run_id"])
        if not dry_run:
            ended = book.catch_up()
            log.info("Former releases for which evidence was missing, and is there now: %d", ended)
        planner = ReleasePlanner(
            warehouse,
            run_id=context["run_id"],
            answer_seconds=float(self.answer_hours) * 3600,
            limits=self.limits,
        )
        plan = planner.plan(self._choice(), dry_run=dry_run)
        if plan.request_id is not None:
            try:
                ApprovalBook(warehouse, run).plan(book.content(plan.request_id))
            except NotApproved:
                planner.take_back()
                raise
        _tell(plan, "Preview, no one is asked" if dry_run else "To be asked about")
        return plan.as_dict()

    def _choice(self) -> ReleaseChoice:
        from syrve.organizations import chosen
        from syrve.release.choosing import ReleaseChoice

        wanted: Sequence[str] = as_texts(self.organization_ids)
        served = self.syrve().config().organization_ids
        organization_ids = chosen(served, wanted) if served else wanted
        min_age_minutes, max_holds = as_number(self.min_age_minutes), as_number(self.max_holds)
        return ReleaseChoice(
            organization_ids=organization_ids or None,
            rules=as_texts(self.rules) or list(DEFAULT_RULES),
            min_severity=str(self.min_severity),
            min_age_minutes=60 if min_age_minutes is None else min_age_minutes,
            finding_ids=as_texts(self.finding_ids),
            max_holds=20 if max_holds is None else max_holds,
            max_amount=_amount(self.max_amount),
        )


class SyrveReleaseHoldsOperator(WalletOperator):
    """Cancels the holds that were approved under a question, each at most once; returns the counts. Skips itself where there is none."""

    template_fields: Sequence[str] = ("request_id",)
    reads = ("wallet.release",)
    writes = ("wallet.operation",)

    def __init__(self, *, request_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request_id = request_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Cancel."""
        if as_text(self.request_id) is None:
            raise AirflowSkipException("There is nothing to release")
        from syrve.approvals.book import ApprovalBook
        from syrve.release.cancelling import HoldRelease

        with self.wallet().money() as money:
            approvals = ApprovalBook(money.ledger.warehouse, run_of(context))
            counts = HoldRelease(money, key=task_key(context), approvals=approvals).release(str(self.request_id))
        if not counts.requested:
            raise AirflowSkipException("No hold was approved")
        log.info("Done: %s", format_counts(counts))
        counts.changed_tables |= {"wallet.operation"} if counts.requested else set()
        self.finish(context, counts)
        if counts.rejected:
            log.warning("%d hold(s) were not cancelled; wallet.release_state says why", counts.rejected)
        return counts.as_dict()


def _amount(value: object) -> Decimal | None:
    from syrve.wallet.errors import UnusableOperation

    amount = as_amount(as_text(value))
    if amount is not None and not (amount.is_finite() and amount > 0):
        raise UnusableOperation("max_amount must be an amount above zero, such as 5000.00, or empty")
    return amount


def _tell(plan: ReleasePlan, beginning: str) -> None:
    log.info("%s: %d hold(s) of %s in all", beginning, plan.holds, plan.amount)
    for hold_id in plan.hold_ids:
        log.info("Hold %s", hold_id)
    if plan.left_out:
        log.warning("%d more hold(s) do not fit into the limits", plan.left_out)
    for reason, findings in plan.not_offered.items():
        log.warning("%d finding(s) can't be offered: %s", findings, reason)
