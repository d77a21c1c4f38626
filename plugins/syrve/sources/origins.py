"""Where the columns of a query come from: a table or view that lists persons, or the one who typed the query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.engine import Connection, CursorResult

from syrve.sources.errors import UnusableSource
from syrve.sources.query_text import check_used_once

_LISTS = """
    select oid, relname from pg_catalog.pg_class
    where oid = any(string_to_array('{oids}', ',')::oid[]) and relpersistence <> 't'
        and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
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


def _table_of(cursor: Any, place: int) -> int:
    """Return the oid of the relation that a column of the result comes from, 0 if it comes from none."""
    told = getattr(cursor.description[place], "table_oid", None)
    if told is None and hasattr(cursor, "pgresult"):  # psycopg 3
        told = cursor.pgresult.ftable(place)
    return int(told or 0)


def _lists(connection: Connection, oids: Iterable[int]) -> dict[int, str]:
    statement = _LISTS.format(oids=",".join(str(int(oid)) for oid in oids))
    return {int(oid): str(name) for oid, name in connection.exec_driver_sql(statement)}
