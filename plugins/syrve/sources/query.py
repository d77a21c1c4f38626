"""Reads the rows of one SELECT on any SQL database: as it is written, in a read-only transaction, within a time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import Connection, CursorResult, Engine

from syrve.sources.columns import Columns
from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Limits
from syrve.sources.origins import check_listed
from syrve.sources.source import CHUNK_ROWS, Chunk, Facts, Line, tabulate

QUERY_SECONDS = 600
_TOKEN = re.compile(
    r"""
      (?P<obeyed>/\*M?!|/\*\+)
    | (?P<comment>--[^\n]*|/\*)
    | (?P<hash>\#)
    | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
    | (?P<quote>[eE]?'|"|`)
    | (?P<semicolon>;)
    | (?P<word>\w[\w$]*)
    """,
    re.VERBOSE,
)
_TIME_LIMIT = "set local statement_timeout = {milliseconds}"
_READ_ONLY = {
    "postgresql": ("set transaction read only", _TIME_LIMIT),
    "mysql": ("set session transaction read only", "set session max_execution_time = {milliseconds}"),
    "mariadb": ("set session transaction read only", "set session max_statement_time = {seconds}"),
    "oracle": ("set transaction read only",),
    "sqlite": ("pragma query_only = on",),
}
_OBEYED = re.compile(r"/\*(?:M?!|\+)")
_NO_OBEYED = "the query has a comment that the database obeys (/*+ or /*!): leave it out"
_HASH_COMMENTS = ("mysql", "mariadb")
_BEGINNINGS = ("select", "with", "values", "table")


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
        self.facts = Facts("query")

    def chunks(self, columns: Columns) -> Iterator[Chunk]:
        """Run the query and give its rows.

        Raises `UnusableSource` if it is not one SELECT or the database refuses it, `UnreadableSource` if the database is out of reach or
        gives up. The database's own message is dropped: it may quote rows.
        """
        statement = one_select(self._query, self._engine.dialect.name)
        try:
            with self._engine.connect() as connection:
                self._make_read_only(connection)
                options = {"stream_results": True, "max_row_buffer": CHUNK_ROWS, "no_parameters": True}
                with connection.exec_driver_sql(statement, execution_options=options) as result:
                    yield from self._tabulated(connection, result, columns)
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise _described(error, self._timeout_seconds) from None

    def _tabulated(
        self, connection: Connection, result: CursorResult[tuple[object, ...]], columns: Columns
    ) -> Iterator[Chunk]:
        names = list(result.keys())
        if len(names) > self._limits.max_columns:
            raise UnusableSource(f"the query has more than {self._limits.max_columns} columns")
        if self._listed_only:
            check_listed(connection, result, dict(columns.match(names, self._format.columns).places))
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
        while rows := result.fetchmany(CHUNK_ROWS):
            for row in rows:
                number += 1
                yield number, tuple(row)
            if (
                connection.dialect.name == "postgresql"
            ):  # each fetch has its time; the query may have lifted it by set_config
                self._execute(connection, _TIME_LIMIT)

    def _make_read_only(self, connection: Connection) -> None:
        for statement in _READ_ONLY.get(connection.dialect.name, ()):
            self._execute(connection, statement)

    def _execute(self, connection: Connection, statement: str) -> None:
        milliseconds, seconds = int(self._timeout_seconds * 1_000), int(self._timeout_seconds) or 1
        connection.exec_driver_sql(statement.format(milliseconds=milliseconds, seconds=seconds))


def one_select(query: str, dialect: str = "postgresql") -> str:
    """Return the query without semicolons at its end; raise `UnusableSource` unless it is one statement that reads.

    Comments that a database obeys are refused (`/*+ MAX_EXECUTION_TIME(0) */`, `/*! ... */`), and so is `#` where it begins a comment.
    """
    first, place, end = "", 0, len(query)
    while place < end:
        token = _TOKEN.search(query, place)
        if token is None:
            break
        place = token.end()
        kind = token.lastgroup
        if kind == "semicolon":
            if query[place:].strip("; \t\r\n"):
                raise UnusableSource("the query must be one statement: there is more after a semicolon")
            query = query[: token.start()]
            break
        if kind == "word":
            first = first or token.group().lower()
        elif kind == "hash":
            if dialect in _HASH_COMMENTS:
                raise UnusableSource("the query has a # outside of a quoted text; write comments with -- ")
        elif kind == "obeyed":
            raise UnusableSource(_NO_OBEYED)
        elif kind != "comment" or token.group() == "/*":
            place = _end_of(query, token)
    if first not in _BEGINNINGS:
        raise UnusableSource(f"the query must begin with one of {', '.join(_BEGINNINGS)}: it may only read")
    return query


def _end_of(query: str, token: re.Match[str]) -> int:
    """Return where a quoted text or a comment ends; a text that databases end in different places is refused."""
    mark, start = token.group(), token.end()
    if mark == "/*":
        depth = 1
        for each in re.finditer(r"/\*|\*/", query[start:]):
            depth += 1 if each.group() == "/*" else -1
            if not depth:
                if _OBEYED.search(query, start, start + each.end()):
                    raise UnusableSource(_NO_OBEYED)
                return start + each.end()
        raise UnusableSource("a comment of the query is not closed")
    if token.lastgroup == "dollar":
        close = query.find(mark, start)
        end = close + len(mark) if close >= 0 else -1
    else:
        closing = re.compile(re.escape(mark[-1]) + "(?:" + re.escape(mark[-1]) + ")?")
        place, end = start, -1
        while found := closing.search(query, place):
            place = found.end()
            if len(found.group()) == 1:
                end = place
                break
        if end > 0 and ";" in query and "\\" + mark[-1] in query[start:end]:
            raise UnusableSource(
                "the query has a backslash before a quote and a semicolon; write it without one of them"
            )
    if end < 0:
        raise UnusableSource("a quoted text of the query is not closed")
    return end


def _described(error: sqlalchemy.exc.SQLAlchemyError, timeout_seconds: float) -> UnusableSource:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    kind = type(cause).__name__ + (f", {state}" if state else "")
    if state == "57014":
        return UnusableSource(f"the query took longer than {timeout_seconds:,.0f} s, or somebody ended it ({kind})")
    if isinstance(error, sqlalchemy.exc.OperationalError):
        return UnreadableSource(f"the database of the query is out of reach or gave up ({kind})")
    return UnusableSource(f"the database refuses the query ({kind}); try it there by hand")
