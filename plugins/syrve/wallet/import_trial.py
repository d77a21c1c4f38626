"""Carries what the chunks of a dry run wrote, and took back, over to later chunks: they are judged as in an import."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from syrve.wallet.operations import Operation, imported_operation_id
from syrve.warehouse.database import Connection, Cursor, fetch_one, transaction
from syrve.warehouse.sql_files import sql


class Trial:
    """What the chunks of one dry run have written so far, in this session's own tables.

    A transaction for the whole file would be simpler, and would keep the holds of its records locked until the file is read: payments
    would wait.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._named: dict[str, list[str]] = {}
        self._written: tuple[str, str] = ("[]", "[]")
        with transaction(connection, "prepare a dry run") as cursor:
            cursor.execute(sql("wallet/trial_staging.sql"))

    def put_back(self, cursor: Cursor, operations: Iterable[Operation], orders: Collection[tuple[str, str]]) -> None:
        """Write again what earlier chunks wrote about the operations, holds and orders of a chunk; it is taken back with the chunk."""
        self._named = _named(operations, orders)
        cursor.execute(sql("wallet/trial_put_back.sql"), self._named)
        turns: int = fetch_one(cursor)[0]
        for turn in range(1, turns + 1):
            cursor.execute(sql("wallet/trial_put_back_events.sql"), {"turn": turn})
        cursor.execute(sql("wallet/trial_put_back_orders.sql"), self._named)

    def take(self, cursor: Cursor) -> None:
        """Note what the chunk has written, before it is taken back."""
        cursor.execute(sql("wallet/trial_take.sql"), self._named)
        self._written = fetch_one(cursor)

    def keep(self) -> None:
        """Keep what was noted, after the chunk was taken back."""
        operations, orders = self._written
        with transaction(self._connection, "keep what a dry run wrote") as cursor:
            cursor.execute(sql("wallet/trial_keep.sql"), {"operations": operations, "orders": orders})


def _named(operations: Iterable[Operation], orders: Collection[tuple[str, str]]) -> dict[str, Any]:
    ids: set[str] = set()
    keys: set[str] = set()
    for one in operations:
        ids.add(one.operation_id or imported_operation_id(one.source, one.key))
        keys.add(one.key)
        if one.hold_id is not None:
            ids.add(one.hold_id)
    return {
        "ids": sorted(ids),
        "keys": sorted(keys),
        "organization_ids": [organization_id for organization_id, _ in orders],
        "order_ids": [order_id for _, order_id in orders],
    }
