"""Keeps an eye on customers with open holds: their balances are looked at often, as those of other active customers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from syrve.warehouse.database import Cursor, Warehouse, run_patiently, transaction
from syrve.warehouse.sql_files import sql

ACTIVE_FOR_SECONDS = 2 * 24 * 3600.0
_BATCH = 500


def watch_open_holds(
    warehouse: Warehouse, organization_id: str, *, active_for_seconds: float = ACTIVE_FOR_SECONDS
) -> int:
    """Make an organization's customers with open holds active in the roster, and due now; returns how many were not active.

    Raises `WarehouseError`.
    """
    values = {"organization_id": organization_id, "active_for_seconds": active_for_seconds}
    with warehouse.connect() as connection:
        with transaction(connection, "look for customers with open holds") as cursor:
            cursor.execute(sql("reconcile/watched.sql"), values)
            found = [customer_id for (customer_id,) in cursor.fetchall()]
        for start in range(0, len(found), _BATCH):
            named = values | {"customer_ids": found[start : start + _BATCH]}
            run_patiently(connection, "make customers with open holds active", partial(_make_due, named))
    return len(found)


def _make_due(values: Mapping[str, Any], cursor: Cursor) -> None:
    cursor.execute(sql("roster/make_due.sql"), values)
