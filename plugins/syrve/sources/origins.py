"""Where the columns of a query come from: a table or view that lists persons, or the one who typed the query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.engine import Connection, CursorResult

from syrve.sources.columns import AS_NAMED, Columns, Matched
from syrve.sources.errors import UnusableSource
from syrve.sources.query_text import check_used_once, check_whole_rows

_LISTS = """
    select oid, relname from pg_catalog.pg_class
    where oid = any(string_to_array('{oids}', ',')::oid[]) and relpersistence <> 't'
        and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
"""

_HEADINGS = """
    select attnum, attname from pg_catalog.pg_attribute where attrelid = {oid} and attnum > 0 and not attisdropped
"""


def check_listed(
    connection: Connection, result: CursorResult[Any], matched: Matched, columns: Columns, query: str
) -> None:
    """Refuse a query that says something else than a list does.

    By typing, or by pairing one guest's phone with another's birthday, its counts would show whether a guess is right, and an invented fact
    would count as a reported one. `matched` is what is read afterwards. Only Postgres reports where a column comes from.
    """
    if columns.are_facts:
        _check_origins_are_known(connection, query)
    names = columns.to_be_listed(matched.places)
    if connection.dialect.name != "postgresql" or not names:
        return
    relation = _check_origins(connection, result, names, query)
    listed = {
        int(number): columns.known(heading)
        for number, heading in connection.exec_driver_sql(_HEADINGS.format(oid=relation))
    }
    shown = {_column_of(result.cursor, place): name for place, name in names.items()}
    renamed = sorted(name for number, name in shown.items() if name in AS_NAMED and listed.get(number) != name)
    if renamed:
        raise UnusableSource(
            f"{', '.join(renamed)} of the query must have that name in its table or view; "
            "make another view if that is wanted (docs/files.md)"
        )
    if columns.are_facts:
        _check_whole(columns, names, shown, {number: name for number, name in listed.items() if name is not None})


def _check_origins(connection: Connection, result: CursorResult[Any], names: dict[int, str], query: str) -> int:
    """Return the oid of the one relation that all these columns come from."""
    tables = {place: _table_of(result.cursor, place) for place in names}
    lists = _lists(connection, filter(None, tables.values()))
    typed = sorted(names[place] for place, table in tables.items() if table not in lists)
    if typed:
        raise UnusableSource(
            f"{', '.join(typed)} of the query must be a column of a table or view as it is, and is computed or typed; "
            "a query of a form takes values of a list only: make a view in the schema source for it (docs/files.md)"
        )
    if len(lists) > 1:
        raise UnusableSource(
            f"{', '.join(sorted(names.values()))} of the query must come from one table or view; "
            "make a view in the schema source that joins them (docs/files.md)"
        )
    if len(names) > 1:
        check_used_once(query, next(iter(lists.values())))
    return next(iter(lists))


def _check_origins_are_known(connection: Connection, query: str) -> None:
    if connection.dialect.name != "postgresql":
        raise UnusableSource(
            "only on Postgres can a form query what is taken for facts; save the query in the settings, or use a file"
        )
    check_whole_rows(query)


def _check_whole(columns: Columns, names: dict[int, str], shown: dict[int, str], known: dict[int, str]) -> None:
    """Refuse facts that the query leaves out or renames: a record that was `sent` reads as confirmed without its state."""
    columns.check(set(names.values()))
    if shown != known:
        raise UnusableSource(
            "the query must have every column of its table or view that the import reads, under its own name "
            f"({', '.join(sorted(set(known.values())))}), and the form map none; make another view if that is wanted (docs/files.md)"
        )


def _column_of(cursor: Any, place: int) -> int:
    """Return the number, from 1, that a column of the result has in its relation."""
    origin = getattr(cursor.description[place], "table_column", None)
    if origin is None and hasattr(cursor, "pgresult"):  # psycopg 3
        origin = cursor.pgresult.ftablecol(place)
    return int(origin or 0)


def _table_of(cursor: Any, place: int) -> int:
    """Return the oid of the relation that a column of the result comes from, 0 if it comes from none."""
    origin = getattr(cursor.description[place], "table_oid", None)
    if origin is None and hasattr(cursor, "pgresult"):  # psycopg 3
        origin = cursor.pgresult.ftable(place)
    return int(origin or 0)


def _lists(connection: Connection, oids: Iterable[int]) -> dict[int, str]:
    statement = _LISTS.format(oids=",".join(str(int(oid)) for oid in oids))
    return {int(oid): str(name) for oid, name in connection.exec_driver_sql(statement)}
