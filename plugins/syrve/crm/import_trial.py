"""Carries what the chunks of a dry run wrote, and took back, over to later chunks: they are judged as in an import."""

from __future__ import annotations

from syrve.warehouse.database import Connection, Cursor, fetch_one, transaction
from syrve.warehouse.sql_files import sql


def put_back(cursor: Cursor) -> None:
    """Write again what earlier chunks wrote about the customers of the staged lines; the trial takes it back too."""
    cursor.execute(sql("crm/import/trial_put_back.sql"))


def take(cursor: Cursor) -> str:
    """Return what the chunk has written about its customers, as JSON, before it is taken back."""
    cursor.execute(sql("crm/import/trial_take.sql"))
    return str(fetch_one(cursor)[0])


def keep(connection: Connection, written: str) -> None:
    """Keep what `take` gave in this session's own tables, after the chunk was taken back."""
    with transaction(connection, "keep what a dry run wrote") as cursor:
        cursor.execute(sql("crm/import/trial_keep.sql"), {"written": written})
