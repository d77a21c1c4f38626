"""Connects to the warehouse: psycopg2 through SQLAlchemy, UTC, and no row value in any error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg2.extensions
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from syrve.warehouse.errors import WarehouseConfigError, warehouse_errors

MINIMUM_SERVER_VERSION = 150000
Connection = psycopg2.extensions.connection
Cursor = psycopg2.extensions.cursor


class Warehouse:
    """Hands out connections to one warehouse; holds none itself."""

    def __init__(self, url: URL, *, application_name: str = "syrve") -> None:
        self.url = url
        self._engine = create_engine(
            url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={
                "application_name": application_name,
                "connect_timeout": 10,
                "options": _with_utc(str(url.query.get("options", ""))),
            },
        )

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for pandas and the like."""
        return self._engine

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection and close it in the end; what is not committed is rolled back. Raises `WarehouseError`."""
        with warehouse_errors("connect to the warehouse"):
            pooled = self._engine.raw_connection()
        try:
            connection = cast("Connection", pooled.driver_connection)
            if connection.server_version < MINIMUM_SERVER_VERSION:
                raise WarehouseConfigError("the warehouse must be Postgres 15 or newer")
            yield connection
        finally:
            pooled.close()

    @contextmanager
    def transaction(self, doing: str) -> Iterator[Cursor]:
        """Run a block in one transaction on a connection of its own; `doing` names it in errors."""
        with self.connect() as connection, transaction(connection, doing) as cursor:
            yield cursor


@contextmanager
def transaction(connection: Connection, doing: str) -> Iterator[Cursor]:
    """Run a block in one transaction: commit at its end, roll back if it raises; driver errors become `WarehouseError`."""
    with warehouse_errors(doing), connection, connection.cursor() as cursor:
        yield cursor


def fetch_one(cursor: Cursor) -> tuple[Any, ...]:
    """Return the one row that the last statement must have given."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the statement gave no row")
    return row


def _with_utc(options: str) -> str:
    return f"{options} -c timezone=UTC".strip()
