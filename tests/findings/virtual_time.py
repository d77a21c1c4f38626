"""Months in seconds: one time for this process, the simulator and the database, turned by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import psycopg2
import time_machine
from sqlalchemy.engine import URL
from sqlalchemy.pool import PoolProxiedConnection

from syrve.warehouse.database import Connection, Cursor, Warehouse, transaction
from syrve.warehouse.dsn import url_from_text
from syrve_simulator.control import SimulatorControl

SCHEMA = """
create schema virtual;
create sequence virtual.clock;
create function virtual.clock_timestamp() returns timestamptz
language sql volatile
as $$ select to_timestamp((select last_value from virtual.clock) / 1000.0) $$;
"""
_SEARCH_PATH = "-c search_path=virtual,pg_catalog"
"""What the wallet's statements call `clock_timestamp()` is then the virtual one; the columns' defaults (recorded_at) stay real."""


class VirtualTime:
    """Stands still until it is moved; where the simulator is a process of its own, its clock is moved along by `control`."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute("select to_regnamespace('virtual') is null")
            if cursor.fetchall()[0][0]:
                cursor.execute(SCHEMA)
        self._traveller: time_machine.Traveller | None = None
        self.control: SimulatorControl | None = None
        self.now = datetime.min.replace(tzinfo=UTC)

    @contextmanager
    def beginning_at(self, moment: datetime) -> Iterator[None]:
        """Let time be the virtual one for the block."""
        with time_machine.travel(moment, tick=False) as traveller:
            self._traveller = traveller
            self.move_to(moment)
            yield
        self._traveller = None

    def move_to(self, moment: datetime) -> None:
        assert self._traveller is not None
        self.now = moment
        self._traveller.move_to(moment)
        if self.control is not None:
            self.control.set_clock(moment, stands_still=True)

    def advance(self, seconds: float) -> None:
        self.move_to(self.now + timedelta(seconds=seconds))

    def show_database(self) -> None:
        """Let the database tell this time too; to be called before anything that asks it."""
        with self._connection.cursor() as cursor:
            cursor.execute("select setval('virtual.clock', %s)", (round(self.now.timestamp() * 1000),))

    def close(self) -> None:
        self._connection.close()


def virtual_warehouse(dsn: str) -> Warehouse:
    """The warehouse as the code under test sees it: only its clock is another one."""
    return Warehouse(url_from_text(dsn).update_query_dict({"options": _SEARCH_PATH}))


class KeptConnections(Warehouse):
    """Opens a connection once, and lets go of its locks where the product would close it: hundreds of payments in seconds."""

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        self._idle: list[PoolProxiedConnection] = []

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with self._kept() as connection:
            try:
                yield connection
            finally:
                connection.rollback()
                with connection, connection.cursor() as cursor:
                    cursor.execute("select pg_advisory_unlock_all()")

    @contextmanager
    def transaction(self, doing: str) -> Iterator[Cursor]:
        with self._kept() as connection, transaction(connection, doing) as cursor:
            yield cursor

    @contextmanager
    def _kept(self) -> Iterator[Connection]:
        pooled = self._idle.pop() if self._idle else self.engine.raw_connection()
        connection = cast("Connection", pooled.driver_connection)
        try:
            yield connection
        finally:
            self._idle.append(pooled)

    def close(self) -> None:
        for pooled in self._idle:
            pooled.close()
