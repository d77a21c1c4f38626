"""Locks by name: advisory locks of Postgres, which go with their connection, so that no one waits for a dead process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from syrve.warehouse.database import Connection, Cursor, transaction
from syrve.warehouse.errors import WarehouseUnavailable, warehouse_errors


def lock_until_end(cursor: Cursor, name: str) -> None:
    """Wait for a name and keep it until the transaction ends; raises `WarehouseUnavailable` after the session's lock time-out."""
    cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


def take_lock(connection: Connection, name: str, *, wait_seconds: float, place: str) -> None:
    """Keep a name for as long as the connection lives; raises `WarehouseUnavailable` if another has it for longer than that."""
    with transaction(connection, f"wait for another process at {place}") as cursor:
        milliseconds = max(1, int(wait_seconds * 1000))
        cursor.execute("select set_config('lock_timeout', %s, true)", (f"{milliseconds}ms",))
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))


def drop_lock(connection: Connection, name: str, *, place: str) -> None:
    """Give a name up; with a connection that is gone, it is gone too."""
    if connection.closed:
        return
    with suppress(WarehouseUnavailable), warehouse_errors("end what is left of a transaction"):
        connection.rollback()
        with transaction(connection, f"let other processes at {place}") as cursor:
            cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


@contextmanager
def alone(connection: Connection, name: str, *, wait_seconds: float, place: str, busy: str) -> Iterator[None]:
    """Keep every other process off a name for the length of the block; raises `WarehouseUnavailable` with `busy` as its text."""
    try:
        take_lock(connection, name, wait_seconds=wait_seconds, place=place)
    except WarehouseUnavailable:
        raise WarehouseUnavailable(busy) from None
    try:
        yield
    finally:
        drop_lock(connection, name, place=place)
