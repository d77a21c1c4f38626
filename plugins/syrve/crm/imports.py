"""Brings desired states from a file or a query into `crm.customer`, checked row by row.

A row is imported whole or kept in `sync.reject` with the reason: a customer is not changed by half of a row.
"""

from __future__ import annotations

import time
from typing import Any

from syrve.crm import import_trial
from syrve.crm.import_rows import NAMES, RowReader
from syrve.customers.phones import to_e164
from syrve.sources.bad_rows import BadRows
from syrve.sources.errors import BadRow
from syrve.sources.rejects import ImportRejects, Place
from syrve.sources.row import Row
from syrve.sources.source import Chunk, as_source
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, transaction
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging
from syrve.warehouse.trial import transaction_or_trial

IMPORT_LOCK_KEY = 0x53795F696D706F  # "Sy_impo"
PHONE_CHUNK_ROWS = 20_000
ENTITY = "crm_import"
SHOWN = ("crm_id", "customer_id", "phone")


class CrmImport:
    """Imports a source; safe to repeat, a chunk commits at a time. A dry run counts the same and writes nothing."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        key: TaskKey,
        region: str,
        organization_id: str | None = None,
        dry_run: bool = False,
        place: Place | None = None,
        bad_rows: BadRows | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._key = key
        self._region = region
        self._reader = RowReader(region=region, organization_id=organization_id)
        self._dry_run = dry_run
        self._rejects = ImportRejects(key, ENTITY, SHOWN, place=place, bad_rows=bad_rows)
        self.created = 0
        """How many rows of `crm.customer` are new, of those that `changed` counts."""

    def run(self, source: Any) -> Counts:
        """Import a `Source`, or rows from code, and return what was done: `changed` counts written customers and memberships.

        Raises `UnusableSource` if the columns name no customer, and `WarehouseError`.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            with transaction(connection, "prepare the import") as cursor:
                cursor.execute(sql("crm/import/staging.sql"))
            self._read_phones(connection)
            for chunk in as_source(source).chunks(self._reader.columns):
                total.add(self._import_chunk(connection, chunk))
        return total

    def _read_phones(self, connection: Connection) -> None:
        """Read the phones that the CRM wrote in other forms, so that a line finds its row however the phone was written."""
        while True:
            with transaction(connection, "read the phones of the CRM") as cursor:
                cursor.execute(sql("crm/import/phones_unread.sql"), {"region": self._region, "most": PHONE_CHUNK_ROWS})
                phones = cursor.fetchall()
                read = (copy_line((crm_id, text, to_e164(text, self._region))) for crm_id, text in phones)
                copy_lines(cursor, "staging_received_phone", ("crm_id", "received", "phone"), read)
                cursor.execute(sql("crm/import/phones_read.sql"), {"region": self._region})
            if len(phones) < PHONE_CHUNK_ROWS:
                return

    def _import_chunk(self, connection: Connection, chunk: Chunk) -> Counts:
        started = time.monotonic()
        with transaction_or_trial(connection, "import desired states", is_trial=self._dry_run) as cursor:
            self._rejects.prepare(cursor)
            staged = self._stage(cursor, chunk)
            cursor.execute(sql("crm/import/lock.sql"), {"region": self._region})
            if fetch_one(cursor)[0]:
                raise WarehouseUnavailable(
                    "import desired states: the CRM gave a row another phone or customer in between; this chunk is imported by the next try"
                )
            cursor.execute(sql("crm/import/merge.sql"))
            changed, created, to_create = fetch_one(cursor)
            if created < to_create:
                raise WarehouseUnavailable(
                    "import desired states: the CRM gave the number of a new row to another; this chunk is imported by the next try"
                )
            cursor.execute(sql("crm/import/memberships.sql"))
            memberships: int = fetch_one(cursor)[0]
            rejected = self._rejects.write(cursor)
            written = import_trial.take(cursor) if self._dry_run else None
            self.created += created
            counts = Counts(
                requested=staged + rejected,
                found=staged,
                changed=changed + memberships,
                unchanged=max(0, staged - changed),
                rejected=rejected,
                seconds=time.monotonic() - started,
            )
            add_counts(cursor, self._key, counts)
        if written is not None:
            import_trial.keep(connection, written)
        return counts

    def _stage(self, cursor: Cursor, chunk: Chunk) -> int:
        """Stage the rows that can be imported and reject the others; return how many are staged."""
        for bad in chunk.bad:
            self._rejects.line(bad)
        staged: dict[int, Row] = {}
        lines: list[str] = []
        for number, row in enumerate(chunk.rows):
            try:
                lines.append(copy_line((number, *self._reader.values(row))))
                staged[number] = row
            except BadRow as problem:
                self._rejects.row(row, str(problem), self._reader.organization_of(row))
        cursor.execute("select pg_advisory_xact_lock(%s)", (IMPORT_LOCK_KEY,))
        copy_lines(cursor, "staging_crm", ("line", *NAMES), lines)
        cursor.execute("analyze staging_crm")
        if self._dry_run:
            import_trial.put_back(cursor)
        for step in ("unknown", "erased", "identify", "crowded", "contradicting"):
            cursor.execute(sql(f"crm/import/{step}.sql"), {"region": self._region})
            for line, reason in cursor.fetchall():
                row = staged.pop(line)
                self._rejects.row(row, reason, self._reader.organization_of(row), is_erased=step == "erased")
        for row in staged.values():
            self._rejects.landed(row, self._reader.organization_of(row))
        return len(staged)
