"""The Postgres that all contestants share, and what a piece of work wrote there."""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from devstack.postgres import PostgresServer
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.migrate import migrate

MIGRATED = "migrated"
LEAVE_SECONDS = 20.0
ROW_VERSIONS = """
    select coalesce(sum(n_tup_ins + n_tup_upd), 0), coalesce(sum(n_tup_upd + n_tup_del), 0)
    from pg_stat_user_tables where schemaname = any(%s)
"""


class BenchServer:
    """One server with its disk writes as in production; a database for each contestant and round."""

    def __init__(self, server: PostgresServer, home: Path) -> None:
        self.server = server
        self.home = home
        server.create_database(MIGRATED)
        migrate(url_from_text(server.dsn(MIGRATED)))
        # Everyone's tables are vacuumed between the loads instead, outside the clock: no one pays for another's dead rows.
        execute(server.dsn("postgres"), "alter system set autovacuum = off", "select pg_reload_conf()")

    def fresh_database(self, name: str, *, migrated: bool) -> str:
        """Drop and create a database and return its DSN."""
        self.server.drop_database(name)
        self.server.create_database(name, MIGRATED if migrated else None)
        return self.server.dsn(name)

    def cpu_seconds(self) -> float:
        """Return the processor time that the server has spent so far, sessions that have ended included."""
        # A session that ends between two reads is missed by one reading, never counted twice.
        return max(self._cpu_seconds() for _ in range(3))

    def _cpu_seconds(self) -> float:
        assert self.server.record is not None
        postmaster = self.server.record.pid
        spent = 0.0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # ended meanwhile
            if postmaster in (int(stat.parent.name), int(fields[1])):
                spent += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        return spent

    def folder(self, name: str) -> Path:
        """Make a folder for a contestant's files."""
        folder = self.home / name
        folder.mkdir(exist_ok=True)
        return folder


@contextmanager
def bench_server() -> Iterator[BenchServer]:
    """Run a server for one benchmark and remove it in the end."""
    with tempfile.TemporaryDirectory(prefix="syrve-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        server = PostgresServer(home / "postgres", home / "postgres.log", durable=True)
        server.start()
        try:
            yield BenchServer(server, home)
        finally:
            server.stop(grace_seconds=10)
            server.remove()


@dataclass
class Writes:
    """What a load cost the server: WAL, processor time, row versions made and row versions left dead in some schemas."""

    wal_mb: float = 0.0
    cpu_seconds: float = 0.0
    rows_written: int = 0
    dead_rows: int = 0


@contextmanager
def written(here: BenchServer, dsn: str, schemas: list[str]) -> Iterator[Writes]:
    """Measure what the block writes, from a checkpoint on; the block's sessions must have ended with it."""
    execute(dsn, "vacuum (analyze)", "checkpoint")
    writes = Writes()
    (lsn,) = _row(dsn, "select pg_current_wal_lsn()::text")
    made, dead = _row(dsn, ROW_VERSIONS, (schemas,))
    cpu_seconds = here.cpu_seconds()
    yield writes
    _await_departure(dsn)
    writes.cpu_seconds = here.cpu_seconds() - cpu_seconds
    (wal_bytes,) = _row(dsn, "select pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", (lsn,))
    made_after, dead_after = _row(dsn, ROW_VERSIONS, (schemas,))
    writes.wal_mb = float(wal_bytes) / 1e6
    writes.rows_written, writes.dead_rows = int(made_after - made), int(dead_after - dead)


def execute(dsn: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


def fill_roster(dsn: str, organization_id: str, phones: Iterable[str]) -> None:
    """Put phones on the roster, due now; statistics and checkpoint are not the pull's to pay for."""
    execute(
        dsn,
        "insert into sync.roster (organization_id, identity_kind, identity_value, source) "
        f"select '{organization_id}', 'phone', phone, 'bench' from string_to_table('{','.join(phones)}', ',') as phone",
        "vacuum (analyze)",
        "checkpoint",
    )


def scalar(dsn: str, query: str, values: tuple[object, ...] = ()) -> object:
    """Return the one value that a query gives."""
    return _row(dsn, query, values)[0]


def peer_dsn(dsn: str) -> str:
    """Write a DSN so that SQLAlchemy and dlt take it: both want a host and a password, the socket's folder comes after."""
    return dsn.replace("postgres@/", "postgres:unused@localhost/")


def _row(dsn: str, query: str, values: tuple[object, ...] = ()) -> tuple[Any, ...]:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            row = cursor.fetchone()
            assert row is not None
            return tuple(row)
    finally:
        connection.close()


def _await_departure(dsn: str) -> None:
    """Wait until the contestant's sessions are gone: their counts are complete then."""
    deadline = time.monotonic() + LEAVE_SECONDS
    query = """
        select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    """
    while scalar(dsn, query):
        if time.monotonic() > deadline:
            raise TimeoutError("a contestant's session outlives its process")
        time.sleep(0.02)
