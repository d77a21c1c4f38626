"""Fills the roster: rows from the CRM, a file or a query become identities to look up; what cannot be one is kept in `sync.reject`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pandas as pd

from syrve.customers.identities import CHUNK_ROWS, IdentityReader, IdentityRows, stage_identities
from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.runs import Counts, TaskKey, add_counts, add_rejects
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging


class RosterImport:
    """Imports frames of rows under one source name; safe to repeat, a chunk commits at a time."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        key: TaskKey,
        source: str,
        region: str,
        organization_id: str | None = None,
        priority: int = 0,
    ) -> None:
        self._warehouse = warehouse
        self._key = key
        self._source = source
        self._reader = IdentityReader(region=region, organization_id=organization_id, priority=priority)

    def run(self, frames: Iterable[pd.DataFrame]) -> Counts:
        """Import all frames and return what was done: `changed` counts new identities, `unchanged` known ones.

        Raises `UnusableSource` where the columns cannot give identities, and `WarehouseError`.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            for frame in frames:
                started = time.monotonic()
                total.add(self._import_chunk(connection, self._reader.read(frame), started))
        return total

    def _import_chunk(self, connection: Connection, rows: IdentityRows, started: float) -> Counts:
        found, rejected = len(rows.identities), len(rows.rejects)
        with transaction(connection, "import the roster") as cursor:
            stage_identities(cursor, rows.identities)
            cursor.execute(sql("roster/import.sql"), {"source_name": self._source})
            added: int = fetch_one(cursor)[0]
            add_rejects(cursor, self._key.run_id, rows.rejects)
            counts = Counts(
                requested=found + rejected,
                found=found,
                changed=added,
                unchanged=found - added,
                rejected=rejected,
                seconds=time.monotonic() - started,
            )
            add_counts(cursor, self._key, counts)
        return counts


def crm_frames(warehouse: Warehouse) -> Iterator[pd.DataFrame]:
    """Read the identities of `crm.customer`, a chunk at a time; without customers whom the roster finds already, under any identity."""
    with warehouse.connect() as connection, transaction(connection, "read crm.customer") as _:
        cursor = connection.cursor(name="crm_customer")
        cursor.itersize = CHUNK_ROWS
        cursor.execute(sql("roster/crm_identities.sql"))
        while rows := cursor.fetchmany(CHUNK_ROWS):
            yield pd.DataFrame(rows, columns=["organization_id", "id", "phone"], dtype="object")
        cursor.close()
