"""Counts how fresh the mirror is and keeps the figures: the page shows them without counting every identity for each viewer."""

from __future__ import annotations

from syrve.warehouse.database import Warehouse, fetch_one
from syrve.warehouse.sql_files import sql

SMALL = 200_000
"""Up to this many identities are counted at every request; more at most every `EVERY_SECONDS`, since counting takes some seconds there."""
EVERY_SECONDS = 3_000.0


def keep_freshness(warehouse: Warehouse, *, small: int = SMALL, every_seconds: float = EVERY_SECONDS) -> bool:
    """Count and keep, unless another task is at it or a large roster was counted lately; tell whether it did. Raises `WarehouseError`."""
    with warehouse.transaction("count how fresh the mirror is") as cursor:
        cursor.execute(sql("roster/may_count.sql"), {"small": small, "every_seconds": every_seconds})
        if not fetch_one(cursor)[0]:
            return False
        cursor.execute(sql("roster/keep_freshness.sql"))
        return True
