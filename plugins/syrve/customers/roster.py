"""Fills the roster: rows from the CRM, a file or a query become identities to look up; what cannot be one is kept in `sync.reject`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from syrve.customers.identities import ENTITY, SHOWN, Identity, IdentityReader, stage_identities
from syrve.sources.bad_rows import BadRows
from syrve.sources.errors import BadRow
from syrve.sources.rejects import ImportRejects, Place
from syrve.sources.source import CHUNK_ROWS, Chunk, as_source
from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging
from syrve.warehouse.trial import transaction_or_trial


class RosterImport:
    """Imports a source under one source name; safe to repeat, a chunk commits at a time. A dry run counts the same and writes nothing."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        key: TaskKey,
        source: str,
        region: str,
        organization_id: str | None = None,
        priority: int = 0,
        dry_run: bool = False,
        place: Place | None = None,
        bad_rows: BadRows | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._key = key
        self._source = source
        self._reader = IdentityReader(region=region, organization_id=organization_id, priority=priority)
        self._dry_run = dry_run
        self._rejects = ImportRejects(key, ENTITY, SHOWN, place=place, bad_rows=bad_rows)
        self.created: int | None = None
        """Not counted: every identity that `changed` counts is new."""

    def run(self, source: Any) -> Counts:
        """Import a `Source`, or rows from code, and return what was done: `changed` counts new identities, `unchanged` known ones.

        Raises `UnusableSource` if the columns cannot give identities, and `WarehouseError`.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            for chunk in as_source(source).chunks(self._reader.columns):
                total.add(self._import_chunk(connection, chunk))
        return total

    def _import_chunk(self, connection: Connection, chunk: Chunk) -> Counts:
        started = time.monotonic()
        with transaction_or_trial(connection, "import the roster", is_trial=self._dry_run) as cursor:
            self._rejects.prepare(cursor)
            identities = self._identities(chunk)
            stage_identities(cursor, identities)
            cursor.execute(sql("roster/import.sql"), {"source_name": self._source})
            added: int = fetch_one(cursor)[0]
            rejected = self._rejects.write(cursor)
            found = len(identities)
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

    def _identities(self, chunk: Chunk) -> list[Identity]:
        found = []
        for bad in chunk.bad:
            self._rejects.line(bad)
        for row in chunk.rows:
            try:
                identity = self._reader.identity(row)
            except BadRow as problem:
                self._rejects.row(row, str(problem), self._reader.organization_of(row))
                continue
            found.append(identity)
            self._rejects.landed(row, identity.organization_id)
        return found


def crm_rows(warehouse: Warehouse) -> Iterator[dict[str, Any]]:
    """Read the identities of `crm.customer`, a chunk at a time; without customers whom the roster finds already, under any identity."""
    with warehouse.connect() as connection, transaction(connection, "read crm.customer") as _:
        cursor = connection.cursor(name="crm_customer")
        cursor.itersize = CHUNK_ROWS
        cursor.execute(sql("roster/crm_identities.sql"))
        while rows := cursor.fetchmany(CHUNK_ROWS):
            yield from (dict(zip(("organization_id", "id", "phone"), row, strict=True)) for row in rows)
        cursor.close()


def uncover_lost(warehouse: Warehouse) -> int:
    """Make identities due whose customer is looked up under no other one (`sql/roster/cover.sql`), and return how many."""
    with warehouse.transaction("uncover identities") as cursor:
        cursor.execute(sql("roster/uncover_lost.sql"))
        return int(fetch_one(cursor)[0])
