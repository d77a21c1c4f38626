"""Where the columns of a query come from: a table or view that lists persons, or the one who typed the query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.engine import Connection, CursorResult

from syrve.sources.columns import PERSONAL
from syrve.sources.errors import UnusableSource

_LISTS = """
    select oid from pg_catalog.pg_class
    where oid = any(string_to_array('{oids}', ',')::oid[]) and relpersistence <> 't'
        and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
"""


def check_listed(connection: Connection, result: CursorResult[Any], names: dict[int, str]) -> None:
    """Refuse a query of which a column that names a person was typed or computed: its counts would tell whether such a person is known.

    `names` are the columns that the import reads, by their place in the query. Only Postgres tells where a column comes from.
    """
    if connection.dialect.name != "postgresql":
        return
    tables = {place: _table_of(result.cursor, place) for place, name in names.items() if name in PERSONAL}
    lists = _lists(connection, filter(None, tables.values()))
    typed = sorted(names[place] for place, table in tables.items() if table not in lists)
    if typed:
        raise UnusableSource(
            f"{', '.join(typed)} of the query must be a column of a table or view as it is, and is computed or typed; "
            "a query of a form asks about persons that a list names: make a view in the schema source for it (docs/files.md)"
        )


def _table_of(cursor: Any, place: int) -> int:
    """Return the oid of the relation that a column of the result comes from, 0 if it comes from none."""
    told = getattr(cursor.description[place], "table_oid", None)
    if told is None and hasattr(cursor, "pgresult"):  # psycopg 3
        told = cursor.pgresult.ftable(place)
    return int(told or 0)


def _lists(connection: Connection, oids: Iterable[int]) -> set[int]:
    statement = _LISTS.format(oids=",".join(str(int(oid)) for oid in oids))
    return {int(oid) for (oid,) in connection.exec_driver_sql(statement)}
