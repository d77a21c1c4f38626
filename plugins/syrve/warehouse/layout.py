"""Which migrations a warehouse has, in a place that every login can read, and whether this version of the code fits them.

`migrate` and `rollback` write the newest one into the comment of the schema of the migrations' bookkeeping: its tables are the owner's
alone, a comment is readable by every login. A task compares at its first connection, before it spends a call or moves money.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache
from typing import TYPE_CHECKING

from syrve.warehouse.errors import WarehouseConfigError, WarehouseUnavailable
from syrve.warehouse.sql_files import sql_folder

if TYPE_CHECKING:
    from syrve.warehouse.database import Cursor

BOOKKEEPING_SCHEMA = "syrve_migrations"
"""Where yoyo keeps its list of what is applied: a separate schema, since few owners may create tables in `public`."""

_COMMENT = "Which migrations of the other schemas are applied; the newest is "
_NONE = "none"
_BACK = ".rollback.sql"
_DROPPED = re.compile(r"^drop table (?:if exists )?([a-z_.]+)", re.MULTILINE)
_FILLED = re.compile(r"^insert into ([a-z_.]+)", re.MULTILINE)


@cache
def known_migrations() -> tuple[str, ...]:
    """Return the ids of the migrations that this version has, in order."""
    names = (path.name for path in (sql_folder() / "migrations").glob("*.sql"))
    return tuple(sorted(name.removesuffix(".sql") for name in names if not name.endswith(_BACK)))


def unknown(applied: Iterable[str]) -> tuple[str, ...]:
    """Return those of the applied migrations that only a newer version has, in order."""
    return tuple(sorted(set(applied) - set(known_migrations())))


def refuse_newer(doing: str, applied: Iterable[str]) -> None:
    """Raise `WarehouseConfigError` if a newer version has migrated this warehouse."""
    if newer := unknown(applied):
        raise WarehouseConfigError(
            f"{doing}: a newer version has migrated this warehouse, this one does not know {', '.join(newer)}. Go on with that version; "
            f"or, with that version still installed: python -m syrve.warehouse rollback --to {known_migrations()[-1]}"
        )


def note_newest(cursor: Cursor, applied: Collection[str]) -> None:
    """Write the newest applied migration where every login reads it, unless it stands there."""
    text = _COMMENT + (max(applied) if applied else _NONE)
    if _comment(cursor) != text:
        cursor.execute(f"comment on schema {BOOKKEEPING_SCHEMA} is %s", (text,))


def check(cursor: Cursor) -> None:
    """Compare the warehouse with this version.

    Raises `WarehouseConfigError` if migrations are pending, `WarehouseUnavailable` if a newer version has migrated it: while a stack is
    upgraded, workers of the former version meet that, and the task is tried again elsewhere.
    """
    comment = _comment(cursor)
    newest, needed = comment.removeprefix(_COMMENT) if comment.startswith(_COMMENT) else _NONE, known_migrations()[-1]
    if newest == needed:
        return
    if newest != _NONE and newest not in known_migrations():
        raise WarehouseUnavailable(
            f"the warehouse was migrated by a newer version (to {newest}), this one knows migrations up to {needed}: "
            "install the newer version here too (docs/production.md, Upgrades)"
        )
    raise WarehouseConfigError(
        f"the warehouse has migrations up to {newest}, this version needs {needed}; apply them: python -m syrve.warehouse migrate"
    )


def _comment(cursor: Cursor) -> str:
    cursor.execute("select obj_description(to_regnamespace(%s), 'pg_namespace')", (BOOKKEEPING_SCHEMA,))
    row = cursor.fetchone()
    return str(row[0] or "") if row else ""


def lost_with(names: Iterable[str]) -> tuple[str, ...]:
    """Return the tables that go when these migrations are taken back, without those that a migration fills itself."""
    folder = sql_folder() / "migrations"
    lost = []
    for name in names:
        filled = _FILLED.findall((folder / f"{name}.sql").read_text(encoding="utf-8"))
        dropped = _DROPPED.findall((folder / f"{name}{_BACK}").read_text(encoding="utf-8"))
        lost += [table for table in dropped if table not in filled]
    return tuple(lost)
