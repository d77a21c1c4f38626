"""Writes what happens to each row of a plan, each note in a separate transaction, so that a kill at any moment leaves a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syrve.approvals.book import ApprovalBook, Content
from syrve.crm.changes import Changes
from syrve.crm.push_settings import PushSettings
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Connection, transaction
from syrve.warehouse.leases import LEASE_CLASS
from syrve.warehouse.sql_files import sql


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A row of the plan as it is claimed; `moved` says what has changed since it was planned, `unsure_*` belong to a lost creation.

    `link_phone` is the phone by which the mirror linked the row, if no look-up under it has confirmed that yet.
    """

    crm_id: int
    action: str
    customer_id: str | None
    phone: str | None = field(repr=False)
    changes: Changes = field(repr=False)
    acknowledged: Sequence[str] = field(repr=False)
    link_phone: str | None = field(repr=False)
    unsure_phone: str | None = field(repr=False)
    unsure_seconds: float | None
    moved: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call for a row: `fields` are names."""

    step: int
    operation: str
    fields: tuple[str, ...]
    attempted_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, as columns of `crm.push`."""

    outcome: str
    customer_id: str | None
    requests: int
    seconds: float
    status: int | None = None
    code: str | None = None
    correlation_id: str | None = None


class PushLedger:
    """The database side of one task's push of one organization, under one lease."""

    def __init__(
        self,
        connection: Connection,
        *,
        plan_id: int,
        organization_id: str,
        run_id: str,
        lease: int,
        settings: PushSettings,
        approval: ApprovalBook,
        content: Content,
    ) -> None:
        self._approval = approval
        self._content = content
        self._connection = connection
        self._settings = settings
        self._run_id = run_id
        self._values = {
            "plan_id": plan_id,
            "organization_id": organization_id,
            "run_id": run_id,
            "lease": lease,
            "lease_class": LEASE_CLASS,
            "lease_seconds": settings.lease_seconds,
        }

    def note_interrupted(self) -> None:
        """Write outcomes for the calls of tasks that died."""
        self._execute("note interrupted attempts", "crm/apply/interrupted.sql")

    def count_open(self) -> int:
        """Count the rows of the plan that are still to be sent."""
        [(count,)] = self._execute("count what is open", "crm/apply/count_open.sql")
        return int(count)

    def claim(self, batch_size: int) -> list[int]:
        """Lease the next rows of the plan and return their crm_ids. Raises `NotApproved` if the run has no approval of it."""
        with transaction(self._connection, "claim rows to push") as cursor:
            self._approval.require(cursor, self._content)
            cursor.execute(sql("crm/apply/claim.sql"), self._values | {"batch_limit": batch_size})
            return sorted(crm_id for (crm_id,) in cursor.fetchall())

    def begin(self, crm_id: int) -> PlannedRow | None:
        """Claim a row; None if it is no longer ours or no longer open."""
        rows = self._execute("take a row up", "crm/apply/begin.sql", crm_id=crm_id)
        return PlannedRow(crm_id, *rows[0]) if rows else None

    def acknowledged_steps(self, crm_id: int) -> dict[int, str]:
        """Return the steps that Syrve has acknowledged by the attempts' record, with the customer's id."""
        return dict(self._execute("read earlier attempts", "crm/apply/acknowledged_steps.sql", crm_id=crm_id))

    def attempt(self, crm_id: int, attempt: Attempt, *, new_phone: str | None = None) -> None:
        """Note a call that is about to be made; `new_phone` is that of a creation."""
        noted = {
            "step": attempt.step,
            "operation": attempt.operation,
            "fields": list(attempt.fields),
            "attempted_at": attempt.attempted_at.isoformat(),
            "run_id": self._run_id,
        }
        self._execute(
            "note an attempt", "crm/apply/attempt.sql", crm_id=crm_id, attempt=json_text(noted), phone=new_phone
        )

    def record(self, crm_id: int, attempt: Attempt, outcome: Outcome) -> None:
        """Write the outcome of a call."""
        self._execute(
            "record an attempt",
            "crm/apply/record.sql",
            crm_id=crm_id,
            step=attempt.step,
            operation=attempt.operation,
            fields=list(attempt.fields),
            attempted_at=attempt.attempted_at,
            outcome=outcome.outcome,
            customer_id=outcome.customer_id,
            status=outcome.status,
            code=outcome.code,
            correlation_id=outcome.correlation_id,
            requests=outcome.requests,
            seconds=round(outcome.seconds, 3),
        )

    def acknowledge(self, crm_id: int, keys: Sequence[str], customer_id: str, *, is_new: bool) -> None:
        """Move the agreement by what Syrve has acknowledged, and keep the customer's id."""
        self._execute(
            "move the agreement",
            "crm/apply/acknowledge.sql",
            crm_id=crm_id,
            keys=list(keys),
            customer_id=customer_id,
            unseen_seconds=self._settings.settle_seconds if is_new else 0.0,
        )

    def link(self, crm_id: int, customer_id: str) -> None:
        """Keep the id of a customer who turned out to exist."""
        self._execute("link a customer", "crm/apply/link.sql", crm_id=crm_id, customer_id=customer_id)

    def confirm_link(self, crm_id: int) -> None:
        """Note that a look-up under the phone has named the customer to whom the mirror had linked the row."""
        self._execute("confirm a link", "crm/apply/confirm_link.sql", crm_id=crm_id)

    def ask_again(self, crm_id: int) -> None:
        """Make the customer of a row due for a look-up: the mirror does not have them as they are."""
        self._execute("make a customer due", "crm/apply/ask_again.sql", crm_id=crm_id)

    def ask_why(self, crm_id: int) -> None:
        """Make due what may tell why Syrve refused a row: its customer, and the phone that it was to get."""
        self.ask_again(crm_id)
        self._execute("make a phone due", "crm/apply/ask_phone.sql", crm_id=crm_id)

    def finish(self, crm_id: int, state: str, *, reason: str | None = None, refusal: str | None = None) -> int:
        """Close a row and return how many times in a row it was refused the same way."""
        rows = self._execute(
            "close a row of the plan",
            "crm/apply/finish.sql",
            crm_id=crm_id,
            state=state,
            reason=reason,
            refusal=refusal,
            retry_seconds=self._settings.retry_seconds,
            ceiling_seconds=self._settings.retry_ceiling_seconds,
        )
        return int(rows[0][0]) if rows else 0

    def block(self, crm_id: int, *, operation: str, code: str | None, reason: str, times: int) -> None:
        """Set a row aside for a person."""
        values = {"operation": operation, "code": code, "reason": reason, "times": times}
        self._execute("set a row aside", "crm/apply/block.sql", crm_id=crm_id, **values)

    def give_back(self) -> None:
        """Give back what is leased and was not sent."""
        if self._connection.closed:
            return
        self._connection.rollback()
        self._execute("give rows back", "crm/apply/give_back.sql")

    def _execute(self, doing: str, file: str, **values: Any) -> list[tuple[Any, ...]]:
        with transaction(self._connection, doing) as cursor:
            cursor.execute(sql(file), self._values | values)
            return cursor.fetchall() if cursor.description else []
