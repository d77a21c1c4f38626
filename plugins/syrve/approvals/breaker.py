"""Decides what a breaker holds back: lets it through or drops it, exactly as a person saw it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg2

from syrve.approvals.book import Content, RunOf
from syrve.approvals.errors import NotApproved, NothingToDecide
from syrve.warehouse.database import Warehouse, fetch_one
from syrve.warehouse.sql_files import sql

Decision = Literal["let_through", "dropped"]
_NOT_APPROVED, _NOT_UNDECIDED = "SY003", "P0002"
_MEANINGS = {
    "customers_gone": (
        "customer(s) of whom Syrve says that they are gone, have lost what was known of them, or are another person",
        "They are looked up again and believed: the mirror deletes who is gone, empties who is empty, overwrites who is another.",
        "The mirror keeps them. They are looked up again and counted from zero.",
    ),
    "push": (
        "customer(s) of whom the CRM would change this field",
        "The next push sends these changes to Syrve.",
        "These changes are never sent, until the CRM writes another value.",
    ),
}


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What an undecided breaker holds by the moment `as_of`: counts, no person."""

    breaker_id: int
    decision: Decision
    kind: str
    field: str
    organization_name: str
    looked: int
    allowed: int
    tripped_at: datetime
    as_of: datetime
    digest: str
    held: int

    @property
    def content(self) -> Content:
        """What an approval of it names."""
        return Content("breaker", str(self.breaker_id), self.digest, self.held)

    def text(self) -> str:
        """Say what it holds, and what the decision does."""
        what, let_through, dropped = _MEANINGS[self.kind]
        field = f" (`{self.field}`)" if self.field else ""
        named = self.organization_name.replace("`", " ")  # by Syrve, and Airflow shows a question as Markdown
        return (
            f"`{named}`: {self.held} {what}{field}, of {self.looked} when it tripped; {self.allowed} need no question. "
            f"Held since {self.tripped_at:%Y-%m-%d %H:%M}. {let_through if self.decision == 'let_through' else dropped}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for an XCom."""
        return {
            "breaker_id": self.breaker_id,
            "decision": self.decision,
            "as_of": self.as_of.isoformat(),
            "held": self.held,
        }


def outcomes_of(kind: str) -> tuple[str, str]:
    """Return what letting through and what dropping a breaker of this kind does, in a sentence or two each."""
    _, let_through, dropped = _MEANINGS.get(kind, ("", "What is held back goes on.", "What is held back is dropped."))
    return let_through, dropped


def show_breaker(warehouse: Warehouse, breaker_id: int, decision: Decision, *, as_of: str | None = None) -> HeldBack:
    """Return what a breaker holds; raise `NothingToDecide`, which names those that wait, if it is not undecided."""
    values = {"breaker_id": breaker_id, "decision": decision, "as_of": as_of}
    with warehouse.transaction("read a breaker") as cursor:
        cursor.execute(sql("breaker/shown.sql"), values)
        row = cursor.fetchone()
        if row is not None:
            return HeldBack(breaker_id, decision, *row)
        cursor.execute(sql("breaker/undecided.sql"))
        waiting = [f"{number} ({kind}{' ' + field if field else ''})" for number, kind, field in cursor.fetchall()]
    raise NothingToDecide(
        f"breaker {breaker_id} does not wait for a decision; these do: {', '.join(waiting) or 'none'}"
    )


def decide_breaker(warehouse: Warehouse, breaker_id: int, decision: Decision, *, as_of: str, run: RunOf) -> int:
    """Carry an approved decision out and return how many identities are due; repeated, it does nothing.

    Raises `NotApproved`, `NothingToDecide` if it was decided otherwise in between, and `WarehouseError`.
    """
    values = {"breaker_id": breaker_id, "decision": decision, "as_of": as_of}
    values |= {"dag_id": run.dag_id, "run_id": run.run_id}
    with warehouse.transaction("decide a breaker") as cursor:
        try:
            cursor.execute(sql("breaker/decide.sql"), values)
        except psycopg2.Error as refusal:
            if refusal.pgcode == _NOT_APPROVED:
                raise NotApproved(f"this decision about breaker {breaker_id} was not approved in this run") from None
            if refusal.pgcode == _NOT_UNDECIDED:
                raise NothingToDecide(f"breaker {breaker_id} was decided in between; see sync.breaker") from None
            raise
        return int(fetch_one(cursor)[0])
