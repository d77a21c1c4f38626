"""Reads statements of `sql/ui` in one read-only snapshot; the page asks the same questions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from syrve.command_line.report import Row
from syrve.warehouse.database import Cursor, Warehouse
from syrve.warehouse.sql_files import sql

READ_TIMEOUT_MS = 30_000


class Reading:
    """One snapshot of the warehouse; raises `WarehouseError`."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def rows(self, name: str, **values: Any) -> list[Row]:
        """Return the rows of a file of `sql/ui/`."""
        self._cursor.execute(sql(f"ui/{name}.sql"), values)
        columns = [column.name for column in self._cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in self._cursor.fetchall()]


@contextmanager
def reading(warehouse: Warehouse, doing: str) -> Iterator[Reading]:
    """Open the snapshot."""
    with warehouse.transaction(doing) as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute("select set_config('statement_timeout', %s, true)", (str(READ_TIMEOUT_MS),))
        yield Reading(cursor)
