"""What the page reads from the warehouse and writes to its audit table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg2.extras import Json

from syrve.hooks.warehouse import open_warehouse
from syrve.ui.access import Person
from syrve.ui.errors import PageError
from syrve.warehouse.database import Cursor
from syrve.warehouse.sql_files import sql

READ_TIMEOUT_MS = 5_000
WRITE_TIMEOUT_MS = 15_000
Row = dict[str, Any]


class Reading:
    """One snapshot of the warehouse; raises `WarehouseError`."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def rows(self, name: str, **values: Any) -> list[Row]:
        """Return the rows of a file of `sql/ui/`."""
        self._cursor.execute(sql(f"ui/{name}.sql"), values)
        columns = [column.name for column in self._cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in self._cursor.fetchall()]

    def row(self, name: str, **values: Any) -> Row:
        """Return the only row of a file of `sql/ui/`."""
        (found,) = self.rows(name, **values)
        return found


@contextmanager
def reading(doing: str) -> Iterator[Reading]:
    """Read in one read-only snapshot that no long query can hold up."""
    with open_warehouse().transaction(doing) as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute("select set_config('statement_timeout', %s, true)", (str(READ_TIMEOUT_MS),))
        yield Reading(cursor)


def change(
    doing: str, person: Person, action: str, name: str, subject: Callable[[list[Row]], Mapping[str, Any]], **values: Any
) -> None:
    """Change something by a file of `sql/ui/` that returns what it changed, together with its audit row: neither goes without the other.

    `subject` makes what the audit keeps, ids and counts only, of the changed rows. Raises `PageError` if nothing was there to change.
    """
    with open_warehouse().transaction(doing) as cursor:
        cursor.execute("select set_config('statement_timeout', %s, true)", (str(WRITE_TIMEOUT_MS),))
        changed = Reading(cursor).rows(name, **values)
        if not changed:
            raise PageError(
                404,
                "Nothing was found to change",
                "Nothing was changed: it does not exist, or another person has already dealt with it. Reload the page.",
            )
        write_audit(cursor, person, action, subject(changed))


def write_audit(cursor: Cursor, person: Person, action: str, subject: Mapping[str, Any]) -> None:
    """Keep who did what."""
    values = {"user_id": person.user_id, "user_name": person.name, "action": action, "subject": Json(dict(subject))}
    cursor.execute(sql("ui/audit.sql"), values)


def note(person: Person, action: str, subject: Mapping[str, Any]) -> None:
    """Keep who is about to do what outside the warehouse, such as start a run."""
    with open_warehouse().transaction("keep who did what") as cursor:
        write_audit(cursor, person, action, subject)
