"""Explains one id: of a finding, an operation of the ledger or a customer."""

from __future__ import annotations

from uuid import UUID

from syrve.command_line.reading import Reading, reading
from syrve.command_line.report import FAILED, Report, Row, Table
from syrve.warehouse.database import Warehouse

MOST_OF_EACH = 60
_EVENTS = (("at", "when"), ("what", "what"), ("amount", "amount"), ("id", "id"))


def explain(warehouse: Warehouse, identifier: UUID) -> Report:
    """Report what happened to the finding, operation or customer of this id; names, phones and the like are in none of it."""
    text = str(identifier)
    with reading(warehouse, "explain an id") as read:
        if found := read.rows("finding", finding_id=text):
            return _report("finding", text, found[0], read.rows("finding_story", finding_id=text))
        if events := read.rows("operation_story", operation_id=text):
            return _report("operation", text, {}, events)
        people = read.rows("customer", customer_id=text, phone=None, clear=False)
        if people:
            return _customers(read, text, people)
    empty = Table(text, (), [], "no finding, operation or customer of the warehouse has this id")
    return Report({"id": text, "is": None}, [empty], FAILED)


def _customers(read: Reading, text: str, people: list[Row]) -> Report:
    events: list[Row] = []
    for each in people:
        where = {"organization_id": each["organization_id"], "customer_id": text}
        events += read.rows("customer_timeline", **where, most=MOST_OF_EACH)
    shown = ("organization_name", "is_deleted", "first_seen_at", "changed_at", "checked_at", "due_at")
    facts = {name: people[0][name] for name in shown}
    return _report("customer", text, facts, events)


def _report(kind: str, text: str, facts: Row, events: list[Row]) -> Report:
    for event in events:
        event["what"] = str(event["what"]).replace("_", " ")
    lines = [{"fact": name.replace("_", " "), "value": value} for name, value in facts.items() if value is not None]
    tables = [Table(f"{kind} {text}", (("fact", ""), ("value", "")), lines)] if lines else []
    return Report(
        {"id": text, "is": kind, "facts": facts, "events": events},
        [*tables, Table(f"What happened to {kind} {text}", _EVENTS, events, "nothing is known of it")],
    )
