"""Breakers: whether a run, or all runs of a day, change too many customers of an organization, all tasks together.

Each task counts into its own row, so tasks do not wait for each other while nothing is wrong. `kind` names the change
(`customers_gone`, `field_changed`, `push`), `field` the field where the kind has one. What is held back, and how, is the caller's matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from syrve.warehouse.database import Cursor, Warehouse, fetch_one
from syrve.warehouse.limits import BreakerSettings, Tally
from syrve.warehouse.locks import lock_until_end
from syrve.warehouse.runs import TaskKey
from syrve.warehouse.sql_files import sql

Kind = Literal["customers_gone", "field_changed", "push"]
HOW_TO_DECIDE = (
    "decide with the DAG syrve_decide_breaker, or by SQL: select sync.let_through(breaker_id) or select "
    "sync.drop_held_back(breaker_id)"
)
"""For the end of a message: the one place that says how a person decides."""
OF_A_DAY: frozenset[Kind] = frozenset({"customers_gone"})
"""Kinds that are also judged by the day: a wrong answer for a tenth is little in each of many small runs."""


@dataclass(frozen=True, slots=True)
class TrippedBreaker:
    """A row of `sync.breaker` that was not reported yet."""

    breaker_id: int
    organization_id: str
    kind: str
    field: str
    run_id: str
    looked: int
    affected: int
    allowed: int
    is_held_back: bool


def count_change(
    cursor: Cursor,
    key: TaskKey,
    organization_id: str,
    kind: Kind,
    *,
    looked: int,
    affected: Mapping[str, int],
    settings: BreakerSettings,
) -> list[Tally]:
    """Count inside the caller's transaction and return what the run has come to, by field.

    `affected` is customers by field, with "" as the field where the kind has none. Where some are affected, other tasks of the run that
    count the same wait until this transaction is over, of every run if the kind is one of `OF_A_DAY`: so call it before rows are locked
    that they might hold.
    """
    if any(affected.values()):
        scope = "" if kind in OF_A_DAY else key.run_id
        lock_until_end(cursor, f"breaker {organization_id} {scope} {kind}")
    values = _key(organization_id, kind, key) | {
        "task": key.task,
        "map_index": key.map_index,
        "looked": looked,
        "fields": list(affected),
        "affected": list(affected.values()),
    }
    cursor.execute(sql("breaker/count.sql"), values)
    return [
        Tally(field, int(looked), int(affected), settings.allowed(int(looked)))
        for field, looked, affected in cursor.fetchall()
    ]


def tally_of_day(cursor: Cursor, organization_id: str, kind: Kind, settings: BreakerSettings) -> Tally:
    """Return what all runs of the last 24 hours have come to, since a breaker was let through or recovered from; count first."""
    cursor.execute(sql("breaker/day.sql"), {"organization_id": organization_id, "kind": kind})
    looked, affected = (int(each) for each in fetch_one(cursor))
    return Tally("", looked, affected, settings.allowed(looked))


def trip(cursor: Cursor, key: TaskKey, organization_id: str, kind: Kind, tally: Tally) -> int:
    """Return the number of the undecided breaker that holds such changes back, opened now if there was none."""
    cursor.execute(sql("breaker/trip.sql"), _key(organization_id, kind, key) | _counts(tally))
    breaker_id: int = fetch_one(cursor)[0]
    return breaker_id


def land(cursor: Cursor, key: TaskKey, organization_id: str, kind: Kind, tally: Tally) -> None:
    """Record a mass change that lands all the same, once for each run."""
    cursor.execute(sql("breaker/land.sql"), _key(organization_id, kind, key) | _counts(tally))


def has_tripped(cursor: Cursor, run_id: str, organization_id: str, kind: Kind) -> int | None:
    """Return the undecided breaker that this run tripped, None if there is none."""
    cursor.execute(
        "select breaker_id from sync.breaker where organization_id = %s and kind = %s and run_id = %s and decision is null",
        (organization_id, kind, run_id),
    )
    found = cursor.fetchone()
    return None if found is None else int(found[0])


def take_unalerted(warehouse: Warehouse, organization_id: str) -> list[TrippedBreaker]:
    """Take the breakers of which people are to be told; each is given out once, until `give_back` says that it was not told."""
    with warehouse.transaction("look for tripped breakers") as cursor:
        cursor.execute(sql("breaker/unalerted.sql"), {"organization_id": organization_id})
        return [TrippedBreaker(*row) for row in cursor.fetchall()]


def give_back(warehouse: Warehouse, breakers: Sequence[TrippedBreaker]) -> None:
    """Note that no channel took the alert of these."""
    with warehouse.transaction("give alerts back") as cursor:
        cursor.execute(sql("breaker/not_alerted.sql"), {"breaker_ids": [each.breaker_id for each in breakers]})


def _key(organization_id: str, kind: Kind, key: TaskKey) -> dict[str, Any]:
    return {"organization_id": organization_id, "kind": kind, "run_id": key.run_id}


def _counts(tally: Tally) -> dict[str, Any]:
    return {"field": tally.field, "looked": tally.looked, "affected": tally.affected, "allowed": tally.allowed}
