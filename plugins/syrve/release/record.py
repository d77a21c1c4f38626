"""Reads and writes what became of the holds of a question: decisions and outcomes, and with them the findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from syrve.approvals.book import Content
from syrve.approvals.digest import digest_of
from syrve.release.question import Decision, ShownHold
from syrve.wallet.errors import WalletError
from syrve.warehouse.copy_text import json_text
from syrve.warehouse.database import Cursor, Warehouse, fetch_one
from syrve.warehouse.sql_files import sql

KEPT = "a person keeps the hold"
AMOUNT_OF_CONTENT = 6


@dataclass(frozen=True, slots=True)
class AskedHold:
    """A hold of a question with the outcome so far; `state` as in `wallet.release_event`."""

    shown: ShownHold
    customer_id: str
    wallet_id: str
    order_id: str | None
    state: str
    sequence: int
    evidence: Mapping[str, Any]
    payment_id: str | None

    @property
    def is_decided(self) -> bool:
        """Whether a person answered, or the time for it is over."""
        return self.state != "asked"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an approved hold: released, refused or unsettled; `reason` is for a person."""

    state: str
    reason: str
    operation_id: str | None = None
    evidence: Mapping[str, Any] | None = None

    def as_evidence(self) -> dict[str, Any]:
        """Return what is kept."""
        known = {"operation_id": self.operation_id} if self.operation_id else {}
        own_reason = {"missing": self.reason} if self.state == "unsettled" else {"reason": self.reason}
        return dict(self.evidence or {}) | known | own_reason


class ReleaseBook:
    """The questions of one warehouse; each method is one transaction. Raises `WarehouseError`."""

    def __init__(self, warehouse: Warehouse, *, run_id: str) -> None:
        self._warehouse = warehouse
        self._run_id = run_id

    def holds(self, request_id: str) -> list[AskedHold]:
        """Read the holds of a question, in their order; raise `WalletError` if there is no such question."""
        with self._warehouse.transaction("read a question about holds") as cursor:
            cursor.execute(sql("release/request.sql"), {"request_id": request_id})
            rows = cursor.fetchall()
        if not rows:
            raise WalletError(f"there is no question {request_id} in wallet.release; run the plan again")
        return [_asked(row) for row in rows]

    def content(self, request_id: str) -> Content:
        """Return what an approval of the question is about: its holds as they were shown, by their digest."""
        with self._warehouse.transaction("read the content of a question") as cursor:
            cursor.execute(sql("release/content.sql"), {"request_id": request_id})
            rows = cursor.fetchall()
        amount = sum((row[AMOUNT_OF_CONTENT] for row in rows), Decimal(0))
        return Content("release", f"question {request_id}", digest_of(("release",), rows), len(rows), amount)

    def decide(self, cursor: Cursor, holds: Sequence[AskedHold], decision: Decision, *, decided_by: str | None) -> None:
        """Write a decision down in the caller's transaction, and acknowledge the findings of what is kept; an earlier one stays."""
        states = {
            each: state
            for state, chosen in (("approved", decision.approved), ("kept", decision.kept), ("left", decision.left))
            for each in chosen
        }
        self._decide(cursor, holds, states, decided_by)

    def expire(self, cursor: Cursor, holds: Sequence[AskedHold]) -> None:
        """Record in the caller's transaction that no answer came in time."""
        self._decide(cursor, holds, {each.shown.release_id: "expired" for each in holds}, None)

    def changed(self, release_id: str) -> tuple[str | None, bool, str]:
        """Say why a hold must not be cancelled on the strength of what was shown, whether it is over, and in which state it is."""
        with self._warehouse.transaction("compare a hold with what was shown") as cursor:
            cursor.execute(sql("release/changed.sql"), {"release_id": release_id})
            problem, is_over, hold_state = fetch_one(cursor)
        return problem, is_over, hold_state

    def end(self, asked: AskedHold, outcome: Outcome) -> bool:
        """Record an outcome and update the findings; False if nothing changed, or another process was first."""
        evidence = outcome.as_evidence()
        if (asked.state, asked.evidence) == (outcome.state, evidence):
            return False
        with self._warehouse.transaction("record the outcome of a release") as cursor:
            if not self._event(cursor, asked, outcome.state, None, evidence, outcome.operation_id):
                return False
            if outcome.state == "released":
                self._findings(cursor, asked, "released", outcome.reason, evidence)
            elif outcome.state == "unsettled":
                self._findings(cursor, asked, None, f"release: {outcome.reason}", evidence)
        return True

    def catch_up(self) -> int:
        """End the releases that lacked evidence if the ledger has it by now; returns how many."""
        with self._warehouse.transaction("look for releases whose hold is over") as cursor:
            cursor.execute(sql("release/over.sql"))
            rows = cursor.fetchall()
        ended = 0
        for request_id, release_id, closed_by in rows:
            (asked,) = [each for each in self.holds(request_id) if each.shown.release_id == release_id]
            state = "released" if closed_by == "cancelled" else "refused"
            evidence = {name: value for name, value in asked.evidence.items() if name != "missing"}
            reason = f"the hold was {closed_by}, as the ledger was told afterwards"
            ended += self.end(asked, Outcome(state, reason, asked.evidence.get("operation_id"), evidence))
        return ended

    def _decide(
        self, cursor: Cursor, holds: Sequence[AskedHold], states: Mapping[str, str], decided_by: str | None
    ) -> None:
        for asked in holds:
            state = states.get(asked.shown.release_id)
            if state is None or asked.is_decided:
                continue
            is_written = self._event(cursor, asked, state, decided_by, {}, None)
            if is_written and state == "kept":
                self._findings(cursor, asked, "acknowledged", KEPT, {"reason": KEPT})

    def _event(
        self,
        cursor: Cursor,
        asked: AskedHold,
        state: str,
        decided_by: str | None,
        evidence: Mapping[str, Any],
        operation_id: str | None,
    ) -> bool:
        values = {
            "release_id": asked.shown.release_id,
            "after": asked.sequence,
            "state": state,
            "decided_by": decided_by,
            "operation_id": operation_id,
            "evidence": json_text(dict(evidence)),
            "run_id": self._run_id,
        }
        cursor.execute(sql("release/event.sql"), values)
        return cursor.fetchone() is not None

    def _findings(
        self, cursor: Cursor, asked: AskedHold, status: str | None, reason: str, evidence: Mapping[str, Any]
    ) -> None:
        cursor.execute(sql("release/lock_findings.sql"), {"release_id": asked.shown.release_id})
        finding_ids = [finding_id for (finding_id,) in cursor.fetchall()]
        values = {"finding_ids": finding_ids, "status": status, "reason": reason, "run_id": self._run_id}
        cursor.execute(sql("release/finding.sql"), values | {"evidence": json_text(dict(evidence))})


def _asked(row: tuple[Any, ...]) -> AskedHold:
    (release_id, place, hold_id, organization_id, customer_id, wallet_id, amount, order_id, order_state) = row[:9]
    rules, severity, age, state, sequence, evidence, payment_id = row[9:]
    shown = ShownHold(release_id, place, hold_id, organization_id, amount, order_state, tuple(rules), severity, age)
    return AskedHold(shown, customer_id, wallet_id, order_id, state, sequence, evidence, payment_id)
