"""Deletes old plans and attempts of the push, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

from syrve.warehouse.database import Warehouse, fetch_one, transaction
from syrve.warehouse.sql_files import sql


@dataclass(frozen=True, slots=True)
class PushRetention:
    """How many days are kept: rows of plans (they hold personal data); attempts, counts of plans and closed conflicts."""

    plan_days: int = 30
    attempt_days: int = 365
    batch_rows: int = 10_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows were deleted."""

    plan_rows: int = 0
    attempts: int = 0
    plans: int = 0
    conflicts: int = 0


def prune_push(warehouse: Warehouse, retention: PushRetention | None = None) -> Pruned:
    """Delete what is older, each batch in a separate transaction, and return the counts; raises `WarehouseError`.

    What is under way, leased or waits in `crm.push_blocked` is kept at any age, and so is what was agreed on (`crm.push_state`).
    """
    kept = retention or PushRetention()
    values = {"plan_days": kept.plan_days, "attempt_days": kept.attempt_days, "batch_rows": kept.batch_rows}
    total = (0, 0, 0, 0)
    with warehouse.connect() as connection:
        while True:
            with transaction(connection, "prune the push") as cursor:
                cursor.execute(sql("crm/prune.sql"), values)
                deleted = fetch_one(cursor)
            if not any(deleted):
                return Pruned(*total)
            total = tuple(one + more for one, more in zip(total, deleted, strict=True))
