"""Connects to the warehouse: psycopg2 through SQLAlchemy, UTC, and no row value in any error."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import psycopg2.errors
import psycopg2.extensions
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from syrve.warehouse.errors import WarehouseConfigError, WarehouseUnavailable, warehouse_errors

MINIMUM_SERVER_VERSION = 150000
Connection = psycopg2.extensions.connection
Cursor = psycopg2.extensions.cursor
T = TypeVar("T")

LOCK_TIMEOUT_MS = 200
"""Well below Postgres's deadlock_timeout: who waits no longer than this is never the reason that somebody else's transaction is ended."""
_PATIENT_TRIES = 150


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


def run_patiently(connection: Connection, doing: str, step: Callable[[Cursor], T]) -> T:
    """Run a step in one transaction that locks many rows and stands in nobody's way: where others hold them it starts over.

    Raises `WarehouseUnavailable` where they are held for about half a minute, and other `WarehouseError`.
    """
    for _ in range(_PATIENT_TRIES):
        with warehouse_errors(doing):
            try:
                with connection, connection.cursor() as cursor:
                    cursor.execute("select set_config('lock_timeout', %s, true)", (f"{LOCK_TIMEOUT_MS}ms",))
                    return step(cursor)
            except psycopg2.errors.LockNotAvailable:
                time.sleep(random.uniform(0.01, 0.05))
    raise WarehouseUnavailable(f"{doing}: others keep its rows locked; try again")


def fetch_one(cursor: Cursor) -> tuple[Any, ...]:
    """Return the one row that the last statement must have given."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the statement gave no row")
    return row


def _with_utc(options: str) -> str:
    return f"{options} -c timezone=UTC".strip()
