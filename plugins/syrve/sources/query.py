"""Reads the rows of one SELECT on any SQL database: its text unchanged, in a read-only transaction, within a time."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import Connection, CursorResult, Engine

from syrve.sources.columns import Columns, Matched
from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Limits
from syrve.sources.origins import check_listed
from syrve.sources.query_calls import check_calls
from syrve.sources.query_session import QuerySession
from syrve.sources.query_text import code_of, one_select
from syrve.sources.source import Chunk, Facts, Line, tabulate

QUERY_SECONDS = 600
FETCH_ROWS = 100
"""Rows that are in memory before anything looks at their length."""
_OF_ROWS = ("21", "22", "54")
"""Classes of SQLSTATE that depend on values: which of them came would tell of a row."""
_Result = CursorResult[tuple[object, ...]]


class QuerySource:
    """The rows of a query; the engine is the caller's, who disposes of it.

    `listed_only` is for queries that a user types: whom they name, and what they report as facts, must come from a table or view as it is
    there, and they call harmless functions only (for facts none).
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
        self.facts = Facts("query")

    def chunks(self, columns: Columns) -> Iterator[Chunk]:
        """Run the query and give its rows.

        Raises `UnusableSource` if it is not one SELECT or the database refuses it, `UnreadableSource` if the database is out of reach or
        gives up. The database's own message is dropped: it may quote rows.
        """
        code = code_of(self._query) if self._listed_only else None
        statement = one_select(self._query, self._engine.dialect.name)
        if code is not None:
            check_calls(code, of_facts=columns.are_facts)
        session = None
        try:
            with self._engine.connect() as connection:
                session = QuerySession(
                    connection, timeout_seconds=self._timeout_seconds, max_seconds=self._limits.max_seconds
                )
                session.begin()
                yield from self._read(connection, session, statement, columns)
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise _described(error, session.longest() if session else "") from None
        except UnusableSource:
            raise
        except (ValueError, OverflowError) as error:  # of the driver: its text quotes what it could not read
            raise UnusableSource(
                f"a value of the query cannot be read ({type(error).__name__}): it is in another encoding, or out of range"
            ) from None

    def _read(self, connection: Connection, session: QuerySession, statement: str, columns: Columns) -> Iterator[Chunk]:
        if connection.dialect.name == "postgresql":
            described = f"select * from (\n{statement}\n) as listed limit 0"  # noqa: S608 - one select, as it is written
            with _run(connection, described) as result:
                matched = self._matched(connection, result, columns)
            bounded = _bounded(statement, matched, self._limits.max_cell_length)
            with _run(connection, bounded) as result:
                yield from self._tabulated(self._bounded_lines(session, result, matched), matched, columns)
        else:
            with _run(connection, statement) as result:
                matched = self._matched(connection, result, columns)
                yield from self._tabulated(self._lines(session, result), matched, columns)

    def _matched(self, connection: Connection, result: _Result, columns: Columns) -> Matched:
        """Return what the columns of the query are, checked: nothing reads them again."""
        names = list(result.keys())
        if len(names) > self._limits.max_columns:
            raise UnusableSource(f"the query has more than {self._limits.max_columns} columns")
        matched = columns.match(names, self._format.columns)
        columns.check(matched.names)
        if self._listed_only:
            check_listed(connection, result, matched, columns, self._query)
        return matched

    def _tabulated(self, lines: Iterator[Line], matched: Matched, columns: Columns) -> Iterator[Chunk]:
        return tabulate(matched, lines, columns, self._format, self.facts, limits=self._limits, keep_blank=True)

    def _bounded_lines(self, session: QuerySession, result: _Result, matched: Matched) -> Iterator[Line]:
        places = sorted(matched.places)
        for number, row in self._lines(session, result):
            if row[-1]:
                raise UnusableSource(f"a cell of row {number} is longer than {self._limits.max_cell_length:,} bytes")
            cells: list[object] = [None] * len(matched.headings)
            for place, value in zip(places, row, strict=False):
                cells[place] = value
            yield number, cells

    def _lines(self, session: QuerySession, result: _Result) -> Iterator[tuple[int, tuple[object, ...]]]:
        number = 0
        session.keep()  # the first row is here already, and may have changed the settings
        while rows := result.fetchmany(FETCH_ROWS):
            for row in rows:
                number += 1
                yield number, tuple(row)
            session.keep()


def _run(connection: Connection, statement: str) -> _Result:
    options = {"stream_results": True, "max_row_buffer": FETCH_ROWS, "no_parameters": True}
    return connection.exec_driver_sql(statement, execution_options=options)


def _bounded(statement: str, matched: Matched, max_bytes: int) -> str:
    """Return a query of Postgres for the columns that are read; the last one tells that a cell is too long, which then does not come."""
    names = ", ".join(f"c{place}" for place in range(len(matched.headings)))
    sizes = {place: f"octet_length(c{place}::text)" for place in sorted(matched.places)}
    cells = ", ".join(f"case when {size} <= {max_bytes} then c{place} end" for place, size in sizes.items())
    longest = f"greatest({', '.join(sizes.values())}) > {max_bytes}"
    return f"select {cells}, {longest} from (\n{statement}\n) as listed ({names})"  # noqa: S608 - one select, as it is written


def _described(error: sqlalchemy.exc.SQLAlchemyError, longest: str) -> UnusableSource:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    kind = type(cause).__name__ + (f", {state}" if state else "")
    if state == "57014":
        return UnusableSource(f"the query took longer than {longest}, or it was ended from outside ({kind})")
    if state and state[:2] in _OF_ROWS:
        return UnusableSource("the query failed on a row; try it there by hand")
    if isinstance(error, sqlalchemy.exc.OperationalError):
        return UnreadableSource(f"the database of the query is out of reach or gave up ({kind})")
    return UnusableSource(f"the database refuses the query ({kind}); try it there by hand")
