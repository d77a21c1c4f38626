"""Keeps `syrve.daily_balance` up to date: balances at the end of each day, added up from the history."""

from __future__ import annotations

from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql

DAYS_AT_ONCE = 40
"""Days that one call adds up at most: a warehouse that lags behind catches up over several runs."""


def keep_daily_balance(warehouse: Warehouse, *, at_most: int = DAYS_AT_ONCE) -> int:
    """Add up the days of every organization that are not final yet, one transaction per day, and return how many they were.

    Safe to repeat and to run beside itself: a day is written by the later look. Raises `WarehouseError`.
    """
    with warehouse.transaction("list the days to add up") as cursor:
        cursor.execute(sql("analytics/days_to_add_up.sql"), {"at_most": at_most})
        days = cursor.fetchall()
    for organization_id, day in days:
        with warehouse.transaction("add up the balances of a day") as cursor:
            cursor.execute(
                sql("analytics/daily_balance.sql"), {"organization_id": organization_id, "day": day.isoformat()}
            )
    return len(days)
