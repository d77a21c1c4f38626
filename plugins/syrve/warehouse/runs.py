"""Counts what a task did, and keeps what could not be imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from syrve.values import storable_json, storable_text
from syrve.warehouse.copy_text import copy_line, copy_lines, json_text
from syrve.warehouse.database import Cursor
from syrve.warehouse.sql_files import sql

MAX_IDENTITY_LENGTH = 200
MAX_PAYLOAD_LENGTH = 20_000
_REJECT_COLUMNS = ("entity", "organization_id", "identity", "stage", "reason", "payload")


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Which task of which run: `task` is the DAG id and the task id with a dot between."""

    run_id: str
    task: str
    map_index: int = -1


@dataclass(slots=True)
class Counts:
    """What a task did, as columns of `sync.run`; `seconds` is a duration, `changed_tables` names the tables of which rows were written."""

    requested: int = 0
    found: int = 0
    not_found: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    failed: int = 0
    cleaned: int = 0
    calls: int = 0
    retries: int = 0
    rate_limited: int = 0
    held_back: int = 0
    seconds: float = 0.0
    changed_tables: set[str] = field(default_factory=set)

    def add(self, other: Counts) -> None:
        """Add another's counts to these."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.changed_tables |= other.changed_tables

    def as_dict(self) -> dict[str, int | float]:
        """Return the numbers by name; seconds rounded to the millisecond."""
        return {name: getattr(self, name) for name in _NUMBERS} | {"seconds": round(self.seconds, 3)}


_NUMBERS = tuple(each.name for each in dataclasses.fields(Counts) if each.name != "changed_tables")


@dataclass(frozen=True, slots=True)
class Reject:
    """A record or field that could not be imported; `reason` holds no value, `payload` what was received."""

    entity: str
    organization_id: str | None
    identity: str
    stage: str
    reason: str
    payload: Any = None


def add_counts(cursor: Cursor, key: TaskKey, counts: Counts) -> None:
    """Add counts to the task's row in `sync.run`."""
    values = dataclasses.asdict(key) | counts.as_dict() | {"changed_tables": sorted(counts.changed_tables)}
    cursor.execute(sql("merge/run.sql"), values)


def read_counts(cursor: Cursor, run_id: str, task: str) -> Counts:
    """Read the counts of a task, all its mapped instances together."""
    total = ", ".join(f"coalesce(sum({name}), 0)" for name in _NUMBERS)
    cursor.execute(f"select {total} from sync.run where run_id = %s and task = %s", (run_id, task))  # noqa: S608
    row = cursor.fetchone() or ()
    totals: dict[str, Any] = {name: int(total) for name, total in zip(_NUMBERS, row, strict=True)}
    totals["seconds"] = float(row[_NUMBERS.index("seconds")])
    cursor.execute(
        "select distinct unnest(changed_tables) from sync.run where run_id = %s and task = %s", (run_id, task)
    )
    return Counts(**totals, changed_tables={name for (name,) in cursor.fetchall()})


def add_rejects(cursor: Cursor, run_id: str, rejects: Iterable[Reject]) -> None:
    """Open or count rejects; needs the staging tables."""
    lines = [copy_line(_reject_row(reject)) for reject in rejects]
    if not lines:
        return
    copy_lines(cursor, "staging_reject", _REJECT_COLUMNS, lines)
    cursor.execute(sql("merge/reject.sql"), {"run_id": run_id})


def _reject_row(reject: Reject) -> tuple[object, ...]:
    payload = None if reject.payload is None else _bounded(reject.payload)
    identity = storable_text(reject.identity)[:MAX_IDENTITY_LENGTH]
    return (reject.entity, reject.organization_id, identity, reject.stage, reject.reason, payload)


def _bounded(payload: Any) -> dict[str, Any]:
    """Wrap a payload for jsonb: JSON where it is small and storable, otherwise the beginning of its text."""
    try:
        received = storable_json(payload)
    except ValueError:
        return {"not_kept": "nested too deeply"}
    text = json_text(received)
    if len(text) <= MAX_PAYLOAD_LENGTH:
        return {"received": received}
    return {"received_text": text[:MAX_PAYLOAD_LENGTH], "cut_from_length": len(text)}
