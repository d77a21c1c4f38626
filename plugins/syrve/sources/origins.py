"""Where the columns of a query come from: a table or view that lists persons, or the one who typed the query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.engine import Connection, CursorResult

from syrve.sources.columns import Columns
from syrve.sources.errors import UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.query_text import check_used_once, check_whole_rows

_LISTS = """
    select oid, relname from pg_catalog.pg_class
    where oid = any(string_to_array('{oids}', ',')::oid[]) and relpersistence <> 't'
        and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
"""

_HEADINGS = """
    select attnum, attname from pg_catalog.pg_attribute where attrelid = {oid} and attnum > 0 and not attisdropped
"""


def check_listed(connection: Connection, result: CursorResult[Any], names: dict[int, str], query: str) -> None:
    """Refuse a query of which one of these columns was typed or computed, or that may pair values of different rows of a list.

    By typing, or by pairing one guest's phone with another's birthday, its counts would tell whether a guess is right, and a fact nobody
    reported would be taken for one. `names` are the columns by their place in the query. Only Postgres tells where a column comes from.
    """
    if connection.dialect.name != "postgresql" or not names:
        return
    tables = {place: _table_of(result.cursor, place) for place in names}
    lists = _lists(connection, filter(None, tables.values()))
    typed = sorted(names[place] for place, table in tables.items() if table not in lists)
    if typed:
        raise UnusableSource(
            f"{', '.join(typed)} of the query must be a column of a table or view as it is, and is computed or typed; "
            "a query of a form takes what a list says: make a view in the schema source for it (docs/files.md)"
        )
    if len(lists) > 1:
        raise UnusableSource(
            f"{', '.join(sorted(names.values()))} of the query must come from one table or view; "
            "make a view in the schema source that joins them (docs/files.md)"
        )
    if len(names) > 1:
        check_used_once(query, next(iter(lists.values())))


def check_facts(
    connection: Connection,
    result: CursorResult[Any],
    columns: Columns,
    names: dict[int, str],
    how: FileFormat,
    query: str,
) -> None:
    """Refuse a query that says something else than the rows of its list: what it leaves out or renames may turn them round.

    A record that was `sent` reads as confirmed without its state. The query has passed `check_listed`.
    """
    if connection.dialect.name != "postgresql":
        raise UnusableSource(
            "only on Postgres can a form query what is taken for facts; save the query in the settings, or use a file"
        )
    check_whole_rows(query)
    if how.null_words or how.decimal_mark:
        raise UnusableSource(
            "the words for an empty cell and the decimal mark must be empty for a query; put them into the view"
        )
    oid = next((_table_of(result.cursor, place) for place in names), 0)
    listed = {
        int(number): columns.known(heading) for number, heading in connection.exec_driver_sql(_HEADINGS.format(oid=oid))
    }
    known = {number: name for number, name in listed.items() if name is not None}
    shown = {_column_of(result.cursor, place): name for place, name in names.items()}
    if shown != known:
        raise UnusableSource(
            "the query must have every column of its table or view that the import reads, under its own name "
            f"({', '.join(sorted(set(known.values())))}), and the form map none; make another view if that is wanted (docs/files.md)"
        )


def _column_of(cursor: Any, place: int) -> int:
    """Return the number, from 1, that a column of the result has in its relation."""
    told = getattr(cursor.description[place], "table_column", None)
    if told is None and hasattr(cursor, "pgresult"):  # psycopg 3
        told = cursor.pgresult.ftablecol(place)
    return int(told or 0)


def _table_of(cursor: Any, place: int) -> int:
    """Return the oid of the relation that a column of the result comes from, 0 if it comes from none."""
    told = getattr(cursor.description[place], "table_oid", None)
    if told is None and hasattr(cursor, "pgresult"):  # psycopg 3
        told = cursor.pgresult.ftable(place)
    return int(told or 0)


def _lists(connection: Connection, oids: Iterable[int]) -> dict[int, str]:
    statement = _LISTS.format(oids=",".join(str(int(oid)) for oid in oids))
    return {int(oid): str(name) for oid, name in connection.exec_driver_sql(statement)}
