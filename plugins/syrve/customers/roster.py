"""Fills the roster: rows from the CRM, a file or a query become identities to look up; what cannot be one is kept in `sync.reject`."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from syrve.customers.identities import ENTITY, SHOWN, Identity, IdentityReader, stage_identities
from syrve.sources.bad_rows import BadRows
from syrve.sources.errors import BadRow
from syrve.sources.rejects import ImportRejects, Place
from syrve.sources.row import Row
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
            if self._dry_run:
                with transaction(connection, "prepare a dry run") as cursor:
                    cursor.execute(sql("roster/trial_staging.sql"))
            for chunk in as_source(source).chunks(self._reader.columns):
                total.add(self._import_chunk(connection, chunk))
        return total

    def _import_chunk(self, connection: Connection, chunk: Chunk) -> Counts:
        started = time.monotonic()
        with transaction_or_trial(connection, "import the roster", is_trial=self._dry_run) as cursor:
            self._rejects.prepare(cursor)
            read = self._read(chunk)
            stage_identities(cursor, (identity for _, identity in read))
            if self._dry_run:
                cursor.execute(sql("roster/trial_known.sql"))
            cursor.execute(sql("roster/import.sql"), {"source_name": self._source})
            added: int = fetch_one(cursor)[0]
            cursor.execute(sql("roster/erased.sql"))
            erased = set(cursor.fetchall())
            landed = self._sort_out(read, erased)
            rejected = self._rejects.write(cursor)
            found, changed = len(landed), added - len(erased)
            counts = Counts(
                requested=found + rejected,
                found=found,
                changed=changed,
                unchanged=found - changed,
                rejected=rejected,
                seconds=time.monotonic() - started,
            )
            add_counts(cursor, self._key, counts)
        if self._dry_run:
            with transaction(connection, "keep what a dry run added") as cursor:
                stage_identities(cursor, landed)
                cursor.execute(sql("roster/trial_keep.sql"))
        return counts

    def _read(self, chunk: Chunk) -> list[tuple[Row, Identity]]:
        found = []
        for bad in chunk.bad:
            self._rejects.line(bad)
        for row in chunk.rows:
            try:
                found.append((row, self._reader.identity(row)))
            except BadRow as problem:
                self._rejects.row(row, str(problem), self._reader.organization_of(row))
        return found

    def _sort_out(
        self, read: Sequence[tuple[Row, Identity]], erased: Collection[tuple[str, str, str]]
    ) -> list[Identity]:
        """Reject the rows of erased people and return the identities of the others."""
        landed = []
        for row, identity in read:
            if erased and (identity.organization_id, identity.kind, identity.value) in erased:
                self._rejects.row(row, "this person was erased", identity.organization_id, is_erased=True)
            else:
                landed.append(identity)
                self._rejects.landed(row, identity.organization_id)
        return landed


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
