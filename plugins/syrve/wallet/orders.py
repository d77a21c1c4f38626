"""The states of the orders that are paid from wallets."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql

OrderState = Literal["open", "completed", "cancelled", "failed"]
ORDER_STATES: tuple[OrderState, ...] = ("open", "completed", "cancelled", "failed")


def record_order(
    warehouse: Warehouse,
    organization_id: str,
    order_id: str,
    state: OrderState,
    *,
    amount: Decimal | None = None,
    source: str,
) -> None:
    """Report that an order is in a state as of now, and commit. Raises `WarehouseError`."""
    values = {
        "organization_id": organization_id,
        "order_id": order_id,
        "state": state,
        "amount": amount,
        "source": source,
    }
    with warehouse.transaction(f"record that an order is {state}") as cursor:
        cursor.execute(sql("wallet/order.sql"), values)


def order_state(warehouse: Warehouse, organization_id: str, order_id: str) -> OrderState | None:
    """Read the latest state of an order; None if none was reported. Raises `WarehouseError`."""
    with warehouse.transaction("read the state of an order") as cursor:
        cursor.execute(
            "select state from wallet.payment_order where organization_id = %s and order_id = %s",
            (organization_id, order_id),
        )
        row = cursor.fetchone()
    return None if row is None else row[0]
