"""Reads from the warehouse what landed there and what each run did."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import psycopg2
from psycopg2 import sql

from devstack.errors import StackError
from devstack.names import TABLES

BALANCES_QUERY = """
    select balance from syrve.wallet_balance_history
    where organization_id = %s and customer_id = %s and wallet_id = %s
    order by valid_from
"""


@dataclass(frozen=True)
class RunCounts:
    """What one DAG run did, all its tasks together (table sync.run)."""

    requested: int = 0
    found: int = 0
    not_found: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    calls: int = 0
    retries: int = 0
    rate_limited: int = 0
    seconds: Decimal = Decimal(0)


COUNTED = tuple(field.name for field in fields(RunCounts))


class Warehouse:
    """One warehouse; raises StackError, without a row's content, when it can't be read or written."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def rows_by_table(self) -> dict[str, int]:
        """Return how many rows each table holds."""
        names = {table: sql.Identifier(*table.split(".")) for table in TABLES}
        with self.cursor() as cursor:
            counts = {}
            for table, name in names.items():
                cursor.execute(sql.SQL("select count(*) from {}").format(name))
                counts[table] = int(cursor.fetchone()[0])
            return counts

    def run_counts(self, run_id: str) -> RunCounts:
        """Return what a run did so far; all zero before its first batch."""
        sums = sql.SQL(", ").join(sql.SQL("coalesce(sum({}), 0)").format(sql.Identifier(name)) for name in COUNTED)
        with self.cursor() as cursor:
            cursor.execute(sql.SQL("select {} from sync.run where run_id = {}").format(sums, sql.Literal(run_id)))
            *counts, seconds = cursor.fetchone()
            return RunCounts(**dict(zip(COUNTED, (*map(int, counts), seconds), strict=True)))

    def balances(self, organization_id: str, customer_id: str, wallet_id: str) -> list[Decimal]:
        """Return every balance of a wallet that the warehouse has seen, the present one last; none when it does not know the wallet."""
        with self.cursor() as cursor:
            cursor.execute(BALANCES_QUERY, (organization_id, customer_id, wallet_id))
            return [balance for (balance,) in cursor.fetchall()]

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Run a block in one transaction."""
        try:
            connection = psycopg2.connect(self._dsn)
        except psycopg2.Error as error:
            raise StackError(f"The warehouse could not be reached ({type(error).__name__})") from error
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            raise StackError(f"The warehouse could not be read or written ({type(error).__name__})") from error
        finally:
            connection.close()
