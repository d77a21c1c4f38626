"""A lease names its holder for as long as the holder's connection lives, and no longer.

The number comes from a sequence; the holder keeps the advisory lock of that number. When its process is killed, Postgres drops the
connection and with it the lock, so its leases are free immediately, without a time-out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syrve.warehouse.database import Connection, fetch_one, transaction

LEASE_CLASS = 0x5359
"""First key of the advisory locks, to keep them apart from other users of advisory locks."""


@contextmanager
def lease(connection: Connection) -> Iterator[int]:
    """Hold a new lease on this connection for the length of the block; gives its number."""
    with transaction(connection, "take a lease") as cursor:
        cursor.execute("select nextval('sync.lease_id')::integer")
        number: int = fetch_one(cursor)[0]
        cursor.execute("select pg_advisory_lock(%s, %s)", (LEASE_CLASS, number))
    try:
        yield number
    finally:
        if not connection.closed:
            connection.rollback()
            with transaction(connection, "give a lease back") as cursor:
                cursor.execute("select pg_advisory_unlock(%s, %s)", (LEASE_CLASS, number))
