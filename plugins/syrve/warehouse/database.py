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

from syrve.warehouse import layout
from syrve.warehouse.errors import WarehouseConfigError, WarehouseUnavailable, warehouse_errors

MINIMUM_SERVER_VERSION = 150000
Connection = psycopg2.extensions.connection
Cursor = psycopg2.extensions.cursor
T = TypeVar("T")

LOCK_TIMEOUT_MS = 200
"""Well below Postgres's deadlock_timeout: a wait no longer than this never ends another transaction."""
_PATIENT_TRIES = 150

LOCK_WAIT_SECONDS = 300
"""Who waits longer for a lock gives up and says so: no person's open transaction and no stranger's advisory lock holds a task for ever."""

_POOLER_PROBES = 5

# A connection whose other end is gone is noticed within about a minute and a half, whether it waits or sends.
_KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "6"}
_NETWORK = {
    "connect_timeout": "10",
    "keepalives": "1",
    **_KEEPALIVES,
    "tcp_user_timeout": "90000",
}
# The server's own end too: by default it keeps the session of a machine that was lost, and with it locks and leases, for two hours.
_OF_THE_SERVER = {f"tcp_{name}": value for name, value in _KEEPALIVES.items()} | {"tcp_user_timeout": "90000"}


class Warehouse:
    """Hands out connections to one warehouse; holds none itself.

    With `checks_layout` the first connection compares the migrations of the warehouse with this version.
    """

    def __init__(self, url: URL, *, application_name: str = "syrve", checks_layout: bool = False) -> None:
        self.url = url
        self._checks_layout = checks_layout
        self._engine = create_engine(
            url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args=_NETWORK
            | {name: str(value) for name, value in url.query.items() if name in _NETWORK}
            | {"application_name": application_name},
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
            self._begin_session(connection)
            if self._checks_layout:
                with transaction(connection, "compare the migrations") as cursor:
                    layout.check(cursor)
                self._checks_layout = False
            yield connection
        finally:
            pooled.close()

    def _begin_session(self, connection: Connection) -> None:
        """Set what every session of ours has, and refuse a database or a pooler that would not keep it."""
        with warehouse_errors("begin a session"), connection, connection.cursor() as cursor:
            # By a statement: PgBouncer refuses the start-up parameter `options`.
            cursor.execute(
                "select pg_backend_pid(), set_config('timezone', 'UTC', false), set_config('client_encoding', 'UTF8', false),"
                " current_setting('server_encoding'), set_config('lock_timeout', %s, false)",
                (f"{LOCK_WAIT_SECONDS}s",),
            )
            backend_pid, _, _, encoding, _ = fetch_one(cursor)
            cursor.execute(
                "select set_config(name, value, false) from unnest(%s, %s) as setting (name, value)",
                (list(_OF_THE_SERVER), list(_OF_THE_SERVER.values())),
            )
        if encoding != "UTF8":
            raise WarehouseConfigError(
                f"the database of the warehouse has the encoding {encoding}; it must be UTF8: create it with encoding 'UTF8'"
            )
        # A pooler answers for the server, and with its own number.
        if connection.info.backend_pid != backend_pid and self._changes_servers(connection):
            raise WarehouseConfigError(
                "the warehouse is behind a pooler in transaction mode, where locks and leases hold nothing; "
                "connect to Postgres itself or to a pool in session mode (docs/production.md)"
            )

    def _changes_servers(self, connection: Connection) -> bool:
        """Whether a pooler gives this session's server to another one between transactions, or another server to this session."""
        with warehouse_errors("look behind the pooler"):
            other = self._engine.raw_connection()
        try:
            seen: set[int] = set()
            for _ in range(_POOLER_PROBES):
                own, others = (_server_of(each) for each in (connection, cast("Connection", other.driver_connection)))
                seen.add(own)
                if own == others or len(seen) > 1:
                    return True
            return False
        finally:
            other.close()

    @contextmanager
    def transaction(self, doing: str) -> Iterator[Cursor]:
        """Run a block in one transaction on a separate connection; `doing` names it in errors."""
        with self.connect() as connection, transaction(connection, doing) as cursor:
            yield cursor


@contextmanager
def transaction(connection: Connection, doing: str) -> Iterator[Cursor]:
    """Run a block in one transaction: commit at its end, roll back if it raises; driver errors become `WarehouseError`."""
    with warehouse_errors(doing), connection, connection.cursor() as cursor:
        yield cursor


def run_patiently(connection: Connection, doing: str, step: Callable[[Cursor], T]) -> T:
    """Run a step in one transaction that locks many rows without blocking others: if others hold them, it starts over.

    Raises `WarehouseUnavailable` if they are held for about half a minute, and other `WarehouseError`.
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


def _server_of(connection: Connection) -> int:
    with warehouse_errors("look behind the pooler"), connection, connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return int(fetch_one(cursor)[0])
