"""Writes questions and answers down, and tells the sender whether what it is about to send was approved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

import psycopg2.errors

from syrve.approvals.errors import AnswerNotCounted, LimitExceeded, NotApproved
from syrve.approvals.rules import DAY_SECONDS, ApproverRules, MoneyLimits, User
from syrve.warehouse.database import Cursor, Warehouse, fetch_one
from syrve.warehouse.locks import lock_until_end
from syrve.warehouse.sql_files import sql

_PLANNED_BY_ITSELF = "question_is_of_the_run_that_planned_it"

Kind = Literal["topup", "release", "crm_push", "erasure", "breaker"]


@dataclass(frozen=True, slots=True)
class Content:
    """What would be sent: `digest` is that of its rows, `amount` in the wallets' currency and None if no money moves."""

    kind: Kind
    subject: str
    digest: str
    rows: int
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RunOf:
    """The run that asks: `requested_by` is the user of Airflow who started it, empty where a schedule or an asset did.

    `doubt` says why it is not known who decided what the run does; empty if it is.
    """

    dag_id: str
    run_id: str
    requested_by: str = ""
    doubt: str = ""

    def refuse_doubt(self) -> None:
        """Raise `NotApproved` if it is not known who decided what the run does: they could approve it themselves."""
        if self.doubt:
            raise NotApproved(f"this run may plan nothing that takes two people: {self.doubt}; start another run")


@dataclass(frozen=True, slots=True)
class Approval:
    """A question with its answer; `state` is asked, approved, rejected, expired or not_needed."""

    approval_id: str
    content: Content
    requested_by: str
    answer_until: datetime | None
    state: str
    decided_by: str | None

    @property
    def is_decided(self) -> bool:
        """Whether the question was answered, or the time for it is over."""
        return self.state != "asked"


class ApprovalBook:
    """Questions of one run; each method is one transaction unless it takes a cursor. Raises `WarehouseError`."""

    def __init__(self, warehouse: Warehouse, run: RunOf) -> None:
        self._warehouse = warehouse
        self._run = run

    def plan(self, content: Content) -> None:
        """Record that this run has planned a top-up, a release or the decision of a breaker: only about that it may ask.

        Raises `NotApproved` for what it has not planned before, if it is in doubt who decided what it does.
        """
        with self._warehouse.transaction("keep what a run has planned") as cursor:
            cursor.execute(sql("approvals/planned.sql"), self._values(content))
            if cursor.fetchone() is None:
                self._run.refuse_doubt()
            cursor.execute(sql("approvals/plan.sql"), self._values(content))

    def ask(self, content: Content, *, answer_seconds: float | None = None) -> Approval:
        """Write a question down; the same run's question about the same content is returned as it is.

        Raises `NotApproved` for money and breakers that this run did not plan: what its tasks read of each other in XComs, other users can
        change.
        """
        values = self._values(content) | {
            "rows": content.rows,
            "amount": content.amount,
            "requested_by": self._run.requested_by,
            "answer_seconds": answer_seconds,
        }
        with self._warehouse.transaction("ask for an approval") as cursor:
            try:
                cursor.execute(sql("approvals/ask.sql"), values)
            except psycopg2.errors.CheckViolation as refusal:
                if refusal.diag.constraint_name != _PLANNED_BY_ITSELF:
                    raise
                raise NotApproved(
                    f"{content.kind}: this run did not plan {content.subject} itself, so it does not ask about it; start another run"
                ) from None
            return self._read(cursor, content)

    def approve(
        self,
        content: Content,
        user: User,
        rules: ApproverRules,
        *,
        limits: MoneyLimits | None = None,
        amount: Decimal | None = None,
        also: Callable[[Cursor], None] | None = None,
    ) -> Approval:
        """Write an approval down, with both names; `amount` is what is approved of the content, all of it unless given.

        `also` runs in the same transaction: what it writes is there only together with the approval. An answer that was given before
        stays. Raises `AnswerNotCounted`, which is recorded too, and `LimitExceeded`.
        """
        approved = content.amount if amount is None else amount
        with self._warehouse.transaction("record an approval") as cursor:
            known = self._read(cursor, content)
            if known.is_decided:
                return known
            problem = rules.problem(user, known.requested_by) or self._lateness(cursor, known)
            if problem is None:
                if limits is not None and approved is not None:
                    check_limits(cursor, content.kind, approved, limits)
                if not self._write(cursor, known, "approved", user=user, rules=rules, amount=approved):
                    return self._read(cursor, content)
                if also is not None:
                    also(cursor)
                return self._read(cursor, content)
            self._write(cursor, known, "not_counted", user=user, reason=problem)
        raise AnswerNotCounted(f"the approval of {user.name or user.user_id} does not count: {problem}")

    def close(
        self,
        content: Content,
        state: Literal["rejected", "expired", "not_needed"],
        *,
        user: User | None = None,
        reason: str | None = None,
        also: Callable[[Cursor], None] | None = None,
    ) -> Approval:
        """Record that a question was rejected, was not answered in time, or needs no person; an earlier answer stays."""
        with self._warehouse.transaction(f"record that an approval is {state}") as cursor:
            known = self._read(cursor, content)
            if (
                not known.is_decided
                and self._write(cursor, known, state, user=user, reason=reason)
                and also is not None
            ):
                also(cursor)
            return self._read(cursor, content)

    def require(self, cursor: Cursor, content: Content) -> Approval:
        """Return the decision that lets the content be sent, in the caller's transaction; raise `NotApproved` if there is none."""
        approval = self._find(cursor, content)
        if approval is None or approval.state not in ("approved", "not_needed"):
            found = "no one was asked about it" if approval is None else f"it is {approval.state}"
            raise NotApproved(
                f"{content.kind}: no approval of {content.subject} is recorded for this run ({found}); nothing is sent. A task that was "
                "marked as success approves nothing: answer the question, or start another run"
            )
        return approval

    @staticmethod
    def _lateness(cursor: Cursor, known: Approval) -> str | None:
        cursor.execute("select %s::timestamptz < clock_timestamp()", (known.answer_until,))
        return "it came after the time for answering; start another run" if fetch_one(cursor)[0] else None

    def _read(self, cursor: Cursor, content: Content) -> Approval:
        found = self._find(cursor, content)
        if found is None:
            raise NotApproved(f"{content.kind}: no one was asked about {content.subject} in this run")
        return found

    def _find(self, cursor: Cursor, content: Content) -> Approval | None:
        cursor.execute(sql("approvals/find.sql"), self._values(content))
        row = cursor.fetchone()
        if row is None:
            return None
        approval_id, rows, amount, requested_by, answer_until, state, decided_by = row
        shown = Content(content.kind, content.subject, content.digest, rows, amount)
        return Approval(approval_id, shown, requested_by, answer_until, state, decided_by)

    def _write(
        self,
        cursor: Cursor,
        approval: Approval,
        state: str,
        *,
        user: User | None = None,
        rules: ApproverRules | None = None,
        amount: Decimal | None = None,
        reason: str | None = None,
    ) -> bool:
        values = {
            "approval_id": approval.approval_id,
            "state": state,
            "decided_by_id": None if user is None else user.user_id,
            "decided_by": None if user is None else user.name,
            "is_self_approval_allowed": rules is not None and rules.allows_self,
            "amount": amount,
            "reason": reason,
        }
        cursor.execute(sql("approvals/event.sql"), values)
        return cursor.fetchone() is not None

    def _values(self, content: Content) -> dict[str, object]:
        return {
            "kind": content.kind,
            "subject": content.subject,
            "digest": content.digest,
            "dag_id": self._run.dag_id,
            "run_id": self._run.run_id,
        }


def check_limits(cursor: Cursor, kind: Kind, amount: Decimal, limits: MoneyLimits) -> None:
    """Raise `LimitExceeded` if an amount is above the limit of a run, or above what is left of the day's; one transaction at a time."""
    lock_until_end(cursor, f"approvals of {kind}")
    problem = limits.run_problem(amount) or limits.day_problem(amount, approved_lately(cursor, kind))
    if problem is not None:
        raise LimitExceeded(f"{kind}: {problem}; nothing is sent")


def approved_lately(cursor: Cursor, kind: Kind) -> Decimal:
    """Return the money approved within the last 24 hours."""
    cursor.execute(sql("approvals/approved_lately.sql"), {"kind": kind, "seconds": DAY_SECONDS})
    return Decimal(fetch_one(cursor)[0])
