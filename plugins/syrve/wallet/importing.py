"""Takes in what tills, sites and apps did: holds, charges, cancellations and order states. The contract is in docs/wallet.md."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import cast

import pandas as pd

from syrve.wallet.errors import UnusableOperation
from syrve.wallet.operations import KINDS, STATES, Kind, Operation, State
from syrve.wallet.orders import ORDER_STATES
from syrve.wallet.rows import BadRow, Row, known_columns
from syrve.wallet.take_in import Told, prepare, take_in
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse, transaction
from syrve.warehouse.runs import Counts, Reject, TaskKey, add_counts, add_rejects
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

COLUMNS = (
    "record",
    "organization_id",
    "key",
    "customer_id",
    "wallet_id",
    "amount",
    "order_id",
    "hold_id",
    "state",
    "occurred_at",
    "consumes_hold",
)
ALIASES = {"kind": "record", "transaction_id": "hold_id", "state_at": "occurred_at", "sum": "amount"}
RECORDS = (*KINDS, "order")
ENTITY = "wallet_operation"
_ORDER_COLUMNS = ("organization_id", "order_id", "state", "amount", "state_at", "source", "turn")


@dataclass(frozen=True, slots=True)
class _Order:
    organization_id: str
    order_id: str
    state: str
    amount: Decimal | None
    state_at: datetime


class WalletImport:
    """Imports frames under one source name; safe to repeat, a chunk commits at a time. Raises `UnusableList` and `WarehouseError`."""

    def __init__(self, warehouse: Warehouse, *, key: TaskKey, source: str, organization_id: str | None = None) -> None:
        self._warehouse = warehouse
        self._key = key
        self._source = f"import:{source}"
        self._organization_id = organization_id

    def run(self, frames: Iterable[pd.DataFrame]) -> Counts:
        """Import all frames: `changed` counts what was new or moved on, `unchanged` what was known."""
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            prepare(connection)
            for frame in frames:
                total.add(self._chunk(connection, known_columns(frame, COLUMNS, ALIASES, ("record", "occurred_at"))))
        return total

    def _chunk(self, connection: Connection, rows: list[Row]) -> Counts:
        started = time.monotonic()
        told: list[Told] = []
        orders: list[_Order] = []
        rejects: list[Reject] = []
        for place, row in enumerate(rows):
            try:
                self._read(place, row, told, orders)
            except (BadRow, UnusableOperation) as problem:
                rejects.append(row.reject(ENTITY, str(problem)))
        with transaction(connection, "import wallet operations") as cursor:
            taken = take_in(cursor, told)
            changed = taken.added + taken.progressed + _take_orders(cursor, orders, self._source)
            rejects += [rows[place].reject(ENTITY, reason) for place, reason in sorted(taken.conflicts.items())]
            add_rejects(cursor, self._key.run_id, rejects)
            found = len(rows) - len(rejects)
            counts = Counts(
                requested=len(rows),
                found=found,
                changed=changed,
                unchanged=max(0, found - changed),
                rejected=len(rejects),
                seconds=time.monotonic() - started,
            )
            add_counts(cursor, self._key, counts)
        return counts

    def _read(self, place: int, row: Row, told: list[Told], orders: list[_Order]) -> None:
        record = row.one_of("record", RECORDS)
        organization_id = row.uuid("organization_id") or self._organization_id
        if organization_id is None:
            raise BadRow("organization_id is missing")
        occurred_at = row.moment("occurred_at")
        if record == "order":
            order_id = row.text("order_id", needed=True)
            assert order_id is not None
            amount = row.amount("amount")
            if amount is not None and not (amount.is_finite() and amount >= 0):
                raise BadRow("amount is less than zero")
            orders.append(_Order(organization_id, order_id, row.one_of("state", ORDER_STATES), amount, occurred_at))
            return
        hold_id = row.uuid("hold_id", needed=record == "hold")
        key = row.text("key") or (f"{record}:{hold_id}" if record in ("hold", "cancel_hold") and hold_id else None)
        if key is None:
            raise BadRow("key is missing")
        operation = Operation(
            kind=cast("Kind", record),
            organization_id=organization_id,
            customer_id=row.uuid("customer_id"),
            wallet_id=row.uuid("wallet_id"),
            amount=row.amount("amount"),
            order_id=row.text("order_id"),
            hold_id=None if record == "hold" else hold_id,
            consumes_hold=row.flag("consumes_hold"),
            source=self._source,
            key=key,
            requested_at=occurred_at,
            operation_id=hold_id if record == "hold" else None,
        ).checked(None)
        state = row.one_of("state", STATES[1:], "confirmed")
        told.append(Told(place, operation, cast("State", state), {"reason": "reported", "by": self._source}))


def _take_orders(cursor: Cursor, orders: list[_Order], source: str) -> int:
    """Report orders, the earliest state of each first; returns how many states were new."""
    turns: dict[tuple[str, str], int] = {}
    lines = []
    for one in sorted(orders, key=lambda each: each.state_at):
        order = (one.organization_id, one.order_id)
        turns[order] = turns.get(order, 0) + 1
        lines.append(
            copy_line((one.organization_id, one.order_id, one.state, one.amount, one.state_at, source, turns[order]))
        )
    if not lines:
        return 0
    copy_lines(cursor, "staging_order", _ORDER_COLUMNS, lines)
    count = "select count(*) from wallet.payment_order_version where (organization_id, order_id) in "
    count += "(select organization_id, order_id from staging_order)"
    cursor.execute(count)
    before: int = cursor.fetchall()[0][0]
    for turn in range(1, max(turns.values()) + 1):
        cursor.execute(sql("wallet/orders.sql"), {"turn": turn})
    cursor.execute(count)
    after: int = cursor.fetchall()[0][0]
    return after - before
