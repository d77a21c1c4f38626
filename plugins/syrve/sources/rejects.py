"""The rejects of an import: opened with the line and the reason, and closed by themselves once the row comes right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syrve.sources.bad_rows import BadRows
from syrve.sources.row import Row
from syrve.sources.source import BadLine
from syrve.sources.values import plain
from syrve.warehouse.database import Cursor
from syrve.warehouse.runs import Reject, TaskKey, add_rejects
from syrve.warehouse.sql_files import sql

STAGE = "import"
MAX_OPEN = 200_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows come from, so that what is no longer wrong there closes: a path or the name of a query; never a value of a row."""

    name: str


class ImportRejects:
    """Collects the rejects of a chunk and writes them; `shown` are the columns that name a row, the first that is filled counts."""

    def __init__(
        self, key: TaskKey, entity: str, shown: Sequence[str], *, place: Place | None = None, bad_rows: BadRows | None = None
    ) -> None:
        self._key = key
        self._entity = entity
        self._shown = shown
        self._place = place
        self._bad_rows = bad_rows
        self._chunk: list[Reject] = []
        self._open: set[tuple[str | None, str]] | None = None
        self._landed: set[tuple[str | None, str]] = set()

    def row(self, row: Row, reason: str, organization_id: str | None = None) -> None:
        """Reject a row."""
        was = row.as_it_was()
        self._add(row.line, reason, list(was.values()), self.shown(row), organization_id, was)

    def line(self, bad: BadLine) -> None:
        """Reject a line that is no row."""
        cells = [plain(each) for each in bad.cells]
        place = f" of {self._place.name}" if self._place else ""
        self._add(bad.line, bad.reason, cells, f"line {bad.line}{place}", None, {"cells": cells})

    def shown(self, row: Row) -> str:
        """Return what names a row: its first key that is filled."""
        for name in self._shown:
            value = plain(row.cells.get(name)).strip()
            if value:
                return f"{name} {value}"
        return "empty row"

    def landed(self, row: Row, organization_id: str | None) -> None:
        """Note that a row was taken, so that what was wrong with it before closes; needs `prepare`."""
        if self._open:
            for name in self._shown:
                value = plain(row.cells.get(name)).strip()
                if value:
                    found = (organization_id, f"{name} {value}")
                    self._landed.update({found, (None, found[1])} & self._open)

    def prepare(self, cursor: Cursor) -> None:
        """Read which rows are open, once."""
        if self._open is None:
            cursor.execute(sql("merge/reject_open.sql"), {"entity": self._entity, "stage": STAGE, "limit": MAX_OPEN})
            self._open = {(organization_id, identity) for organization_id, identity in cursor.fetchall()}

    @property
    def count(self) -> int:
        """How many rows of this chunk are rejected."""
        return len(self._chunk)

    def write(self, cursor: Cursor) -> int:
        """Write the rejects of the chunk and close those of rows that came right; return how many are rejected."""
        count, rejects = len(self._chunk), self._chunk
        still_bad = {(each.organization_id, each.identity) for each in rejects}
        add_rejects(cursor, self._key.run_id, rejects)
        closed = sorted(self._landed - still_bad, key=str)
        if closed:
            cursor.execute(
                sql("merge/reject_came_right.sql"),
                {
                    "entity": self._entity,
                    "stage": STAGE,
                    "organization_ids": [organization_id for organization_id, _ in closed],
                    "identities": [identity for _, identity in closed],
                },
            )
        self.drop()
        return count

    def drop(self) -> None:
        """Forget the rejects of the chunk, as a dry run does."""
        self._chunk = []
        self._landed = set()

    def finish(self, cursor: Cursor) -> None:
        """Close what an earlier import of the same place rejected and this one, which read all of it, did not."""
        if self._place is not None:
            values = {"entity": self._entity, "stage": STAGE, "place": self._place.name, "run_id": self._key.run_id}
            cursor.execute(sql("merge/reject_gone_from_place.sql"), values)

    def _add(
        self,
        line: int,
        reason: str,
        cells: Iterable[str],
        shown: str,
        organization_id: str | None,
        payload: Mapping[str, Any],
    ) -> None:
        if self._bad_rows is not None:
            self._bad_rows.add(line, reason, list(cells))
        kept = dict(payload) | {"line": line} | ({"place": self._place.name} if self._place else {})
        self._chunk.append(Reject(self._entity, organization_id, shown, STAGE, reason, kept))
