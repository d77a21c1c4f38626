"""Whether webhooks come and the order feed has orders: notices that they have stopped while others say otherwise, and are back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql


@dataclass(frozen=True, slots=True)
class FlowChange:
    """Signals of an organization and sort (`balance`, `order`, `feed`) have stopped, or are back.

    `unreported` is what happened without one.
    """

    organization_id: str
    sort: str
    last_at: datetime
    unreported: float
    has_stopped: bool


def take_unreported(warehouse: Warehouse) -> list[FlowChange]:
    """Notice what has stopped, and take the changes that were not reported yet: each goes to one run only. Raises `WarehouseError`."""
    with warehouse.transaction("look whether signals have stopped") as cursor:
        cursor.execute(sql("signals/stopped.sql"))
        cursor.execute(sql("signals/take_untold.sql"))
        return [FlowChange(*row) for row in cursor.fetchall()]


def give_back(warehouse: Warehouse, changes: Sequence[FlowChange]) -> None:
    """Give changes back of which no channel was told. Raises `WarehouseError`."""
    values = {
        "organization_ids": [each.organization_id for each in changes],
        "sorts": [each.sort for each in changes],
        "stopped": [each.has_stopped for each in changes],
    }
    with warehouse.transaction("give back unreported changes of signals") as cursor:
        cursor.execute(sql("signals/give_back_untold.sql"), values)
