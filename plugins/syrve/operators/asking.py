"""Asks a person and writes the answer down, the same way for top-ups, releases and pushes. Slow to import: it is built on Airflow's
operator.

Airflow 3.3 keeps the first question of a task instance however often the task is cleared, and takes the answer of every user whom it lets
answer.
So every option that approves carries the digest of the content, and an answer counts only for the content that the warehouse has now.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import SkipMixin
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseOperatorLink

from syrve.approvals.errors import AnswerNotCounted, NotApproved, QuestionOutdated
from syrve.approvals.rules import ApproverRules, MoneyLimits, User, tag
from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_warehouse
from syrve.operators import settings
from syrve.operators.base import run_of, with_connections
from syrve.operators.links import SyrveInboxLink, SyrvePageLink
from syrve.operators.own_templates import OwnTemplates

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.approvals.book import Approval, ApprovalBook, Content
    from syrve.warehouse.database import Cursor

log = logging.getLogger(__name__)

REJECT = "Reject"
RETRY_DELAY = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is shown; the options that approve something end in the tag of `content`."""

    content: Content
    subject: str
    body: str
    options: Sequence[str]


class SyrveAskOperator(OwnTemplates, HITLOperator, SkipMixin):
    """Asks about the content of a run, once; what an option means is for the subclass.

    No answer within `answer_hours` is a no. The approver must be in `approvers` (none: every user whom Airflow lets answer) and, where
    `two_people`, another user than the one who started the run unless `allows_self_approval`; another answer is recorded, and the
    question
    stays open. Raises `QuestionOutdated` if Airflow shows a question about other content: that run can't go on, start another.
    """

    template_fields: Sequence[str] = ("answer_hours", "warehouse_conn_id")
    inherits_from_skipmixin = True
    operator_extra_links: Collection[BaseOperatorLink] = (SyrveInboxLink(), SyrvePageLink())
    two_people: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.template_fields = with_connections(cls)

    def __init__(
        self,
        *,
        answer_hours: float | str = 24.0,
        approvers: Sequence[str] = settings.APPROVERS,
        allows_self_approval: bool = settings.SELF_APPROVAL,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        # The real question is made when the task runs: Airflow takes these as they are then.
        kwargs.setdefault("subject", "Send to Syrve?")
        kwargs.setdefault("options", [REJECT])
        kwargs.setdefault("response_timeout", timedelta(hours=24))
        # Airflow 3.3.2 takes a task for failed whose question was answered before the scheduler noticed that it waits. So it tries again
        # soon,
        # even if the DAG handles other tasks otherwise: it finds the answer, or asks again.
        kwargs |= {"retry_delay": RETRY_DELAY, "retry_exponential_backoff": 0}
        super().__init__(**kwargs)
        self.answer_hours = answer_hours
        self.approvers = tuple(approvers)
        self.allows_self_approval = allows_self_approval
        self.warehouse_conn_id = warehouse_conn_id

    @abstractmethod
    def question(self, context: Context) -> Question | None:
        """Return the question about the present content, None if there is nothing to ask about."""

    @abstractmethod
    def decide(self, context: Context, question: Question, chosen: Sequence[str], user: User) -> Approval:
        """Record what the chosen options mean."""

    def reason_for_no_person(self, question: Question) -> str | None:
        """Return why no person needs to be asked; None if one must."""
        return None

    def expire(self, context: Context, question: Question) -> Approval:
        """Record that no answer came in time."""
        return self.book(context).close(question.content, "expired")

    def conclude(self, context: Context, approval: Approval) -> Any:
        """Return what the task returns once there is a decision; what is not approved skips the tasks right after this one."""
        if approval.state == "not_needed":
            log.info("No approval is needed")
            return None
        log.info("%s: %s by %s", approval.content.subject, approval.state, approval.decided_by or "no one")
        if approval.state != "approved" and self.downstream_task_ids:
            tasks = context["task"].get_direct_relatives(upstream=False)
            self.skip(ti=context["ti"], tasks=[each for each in tasks if not each.is_teardown])
        return {"state": approval.state, "decided_by": approval.decided_by}

    def execute(self, context: Context) -> Any:
        """Ask, unless that was answered."""
        question = self.question(context)
        if question is None:
            return None
        approval = self.book(context).ask(question.content, answer_seconds=float(self.answer_hours) * 3600)
        if approval.is_decided:
            log.info("The question was answered before")
            return self.conclude(context, approval)
        reason = self.reason_for_no_person(question)
        if reason is not None:
            return self.conclude(context, self.book(context).close(question.content, "not_needed", reason=reason))
        return self._park(context, question, approval)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Write the answer down."""
        question = self.question(context)
        if question is None:
            raise NotApproved("there is nothing to approve any more; nothing is sent")
        asked = self.book(context).ask(question.content, answer_seconds=float(self.answer_hours) * 3600)
        if event.get("error_type") == "timeout":
            log.warning("No answer came in time: nothing is sent")
            return self.conclude(context, self.expire(context, question))
        if not set(event.get("chosen_options") or ()) <= set(question.options):
            raise QuestionOutdated(
                "the answer is about content that was shown earlier and is not what would be sent now; start another run"
            )
        self.options = list(question.options)
        answer = super().execute_complete(context, event)
        known = answer["responded_by_user"]
        if known is None:
            raise NotApproved("Airflow does not say who answered; nothing is sent")
        user = User(str(known["id"]), known.get("name"))
        try:
            approval = self.decide(context, question, answer["chosen_options"], user)
        except AnswerNotCounted as problem:
            log.warning("%s; the question stays open", problem)
            return self._park(context, question, asked)
        return self.conclude(context, approval)

    def approve(
        self,
        context: Context,
        question: Question,
        user: User,
        *,
        limits: MoneyLimits | None = None,
        amount: Decimal | None = None,
        also: Callable[[Cursor], None] | None = None,
    ) -> Approval:
        """Write an approval of the question's content down."""
        rules = ApproverRules(self.approvers, allows_self=self.allows_self_approval or not self.two_people)
        return self.book(context).approve(question.content, user, rules, limits=limits, amount=amount, also=also)

    def book(self, context: Context) -> ApprovalBook:
        """Open the approvals of this run."""
        from syrve.approvals.book import ApprovalBook

        return ApprovalBook(open_warehouse(self.warehouse_conn_id), run_of(context))

    def _park(self, context: Context, question: Question, approval: Approval) -> Any:
        self.subject, self.body, self.options = question.subject, question.body, list(question.options)
        if approval.answer_until is not None:
            left = (approval.answer_until - datetime.now(UTC)).total_seconds()
            self.response_timeout = timedelta(seconds=max(1, ceil(left)))
        shown = self._options_shown(context)
        if shown is not None and shown != self.options:
            raise QuestionOutdated(
                "the content has changed since this task asked for the first time, and Airflow keeps showing that first question; "
                "start another run"
            )
        return super().execute(context)

    def _options_shown(self, context: Context) -> list[str] | None:
        """Give Airflow the question and return the options that it shows: those of the first time; None outside of a worker."""
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

        comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
        if comms is None:
            return None
        payload = CreateHITLDetailPayload(
            ti_id=context["task_instance"].id,
            options=self.options,
            subject=self.subject,
            body=self.body,
            defaults=None,
            params={},
            multiple=self.multiple,
            assigned_users=[],
        )
        return list(comms.send(msg=payload).options)


class SyrveApproveOperator(SyrveAskOperator):
    """Asks a yes or a no about all of the content."""

    def __init__(self, *, answer_hours: float | str = 24.0, limits: MoneyLimits | None = None, **kwargs: Any) -> None:
        super().__init__(multiple=False, answer_hours=answer_hours, **kwargs)
        self.limits = limits

    def decide(self, context: Context, question: Question, chosen: Sequence[str], user: User) -> Approval:
        """Write the yes or the no down."""
        if list(chosen) == [REJECT]:
            return self.book(context).close(question.content, "rejected", user=user)
        return self.approve(context, question, user, limits=self.limits)


def yes_or_no(content: Content, what: str) -> list[str]:
    """Return the two options about a content; `what` says it in numbers, so that no two contents look alike."""
    return [f"Approve: {what} {tag(content.digest)}", REJECT]
