"""Reads the rows of one SELECT on any SQL database: as it is written, in a read-only transaction, within a time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import Connection, CursorResult, Engine

from syrve.sources.columns import Columns
from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Limits
from syrve.sources.origins import check_facts, check_listed
from syrve.sources.query_text import one_select
from syrve.sources.source import CHUNK_ROWS, Chunk, Facts, Line, tabulate

QUERY_SECONDS = 600
_TIME_LIMIT = "set local statement_timeout = {milliseconds}"
_OF_ROWS = ("21", "22", "54")
"""Classes of SQLSTATE that depend on values: which of them came would tell of a row."""
_READ_ONLY = {
    "postgresql": ("set transaction read only", "set local standard_conforming_strings = on", _TIME_LIMIT),
    "mysql": ("set session transaction read only", "set session max_execution_time = {milliseconds}"),
    "mariadb": ("set session transaction read only", "set session max_statement_time = {seconds}"),
    "oracle": ("set transaction read only",),
    "sqlite": ("pragma query_only = on",),
}


class QuerySource:
    """The rows of a query; the engine is the caller's, who disposes of it.

    `listed_only` is for queries that anybody types: whom they name must come from a table or view.
    """

    def __init__(
        self,
        engine: Engine,
        query: str,
        file_format: FileFormat | None = None,
        *,
        limits: Limits = LIMITS,
        timeout_seconds: float = QUERY_SECONDS,
        listed_only: bool = False,
    ) -> None:
        self._engine = engine
        self._query = query
        self._format = file_format or FileFormat()
        self._limits = limits
        self._timeout_seconds = timeout_seconds
        self._listed_only = listed_only
        self._ends_at = 0.0
        self.facts = Facts("query")

    def chunks(self, columns: Columns) -> Iterator[Chunk]:
        """Run the query and give its rows.

        Raises `UnusableSource` if it is not one SELECT or the database refuses it, `UnreadableSource` if the database is out of reach or
        gives up. The database's own message is dropped: it may quote rows.
        """
        statement = one_select(self._query, self._engine.dialect.name)
        self._ends_at = time.monotonic() + self._limits.max_seconds
        try:
            with self._engine.connect() as connection:
                self._make_read_only(connection)
                options = {"stream_results": True, "max_row_buffer": CHUNK_ROWS, "no_parameters": True}
                with connection.exec_driver_sql(statement, execution_options=options) as result:
                    yield from self._tabulated(connection, result, columns)
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise _described(error, self._whole_time() if self._is_over() else self._timeout_text()) from None

    def _tabulated(
        self, connection: Connection, result: CursorResult[tuple[object, ...]], columns: Columns
    ) -> Iterator[Chunk]:
        names = list(result.keys())
        if len(names) > self._limits.max_columns:
            raise UnusableSource(f"the query has more than {self._limits.max_columns} columns")
        if self._listed_only:
            places = columns.match(names, self._format.columns).places
            listed = {place: name for place, name in places.items() if columns.must_be_listed(name)}
            check_listed(connection, result, listed, self._query)
            if columns.are_facts:
                check_facts(connection, result, columns, listed, self._format, self._query)
        yield from tabulate(
            names,
            self._lines(connection, result),
            columns,
            self._format,
            self.facts,
            limits=self._limits,
            keep_blank=True,
        )

    def _lines(self, connection: Connection, result: CursorResult[tuple[object, ...]]) -> Iterator[Line]:
        number = 0
        self._limit_time(connection)  # the first row is here already, and may have lifted the limit by set_config
        while rows := result.fetchmany(CHUNK_ROWS):
            for row in rows:
                number += 1
                yield number, tuple(row)
            self._limit_time(connection)

    def _limit_time(self, connection: Connection) -> None:
        """Set the limit of the next fetch; what is left of the whole time counts if it is less."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise UnusableSource(f"the query took longer than {self._whole_time()}; divide it")
        if connection.dialect.name == "postgresql":
            milliseconds = int(min(self._timeout_seconds, left) * 1_000) + 1
            connection.exec_driver_sql(_TIME_LIMIT.format(milliseconds=milliseconds))

    def _is_over(self) -> bool:
        return time.monotonic() >= self._ends_at

    def _timeout_text(self) -> str:
        return f"{self._timeout_seconds:,.0f} s"

    def _whole_time(self) -> str:
        return f"{self._limits.max_seconds:,.0f} s altogether"

    def _make_read_only(self, connection: Connection) -> None:
        for statement in _READ_ONLY.get(connection.dialect.name, ()):
            allowed = min(self._timeout_seconds, self._limits.max_seconds)
            milliseconds, seconds = int(allowed * 1_000), int(allowed) or 1
            connection.exec_driver_sql(statement.format(milliseconds=milliseconds, seconds=seconds))


def _described(error: sqlalchemy.exc.SQLAlchemyError, longest: str) -> UnusableSource:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    kind = type(cause).__name__ + (f", {state}" if state else "")
    if state == "57014":
        return UnusableSource(f"the query took longer than {longest}, or somebody ended it ({kind})")
    if state and state[:2] in _OF_ROWS:
        return UnusableSource("the query failed on a row; try it there by hand")
    if isinstance(error, sqlalchemy.exc.OperationalError):
        return UnreadableSource(f"the database of the query is out of reach or gave up ({kind})")
    return UnusableSource(f"the database refuses the query ({kind}); try it there by hand")
