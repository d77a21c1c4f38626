"""The rejects of an import: opened with the line and the reason, and closed by themselves once the row comes right.

A row comes right if a row with the same key is imported, or the same line of the same file with at least half of its cells as they were.
That a row is gone from its file closes nothing: files are overwritten with tomorrow's rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syrve.sources.bad_rows import BadRows
from syrve.sources.row import BadCell, Row
from syrve.sources.source import BadLine
from syrve.sources.values import plain
from syrve.warehouse.database import Cursor
from syrve.warehouse.runs import Reject, TaskKey, add_rejects
from syrve.warehouse.sql_files import sql

STAGE = "import"
MAX_OPEN = 100_000
_Key = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows come from: a path, or the name of a query; never a value of a row."""

    name: str


class ImportRejects:
    """Collects the rejects of a chunk and writes them; `shown` are the columns that name a row, the first that is filled counts."""

    def __init__(
        self,
        key: TaskKey,
        entity: str,
        shown: Sequence[str],
        *,
        place: Place | None = None,
        bad_rows: BadRows | None = None,
    ) -> None:
        self._key = key
        self._entity = entity
        self._shown = shown
        self._place = place
        self._bad_rows = bad_rows
        self._chunk: list[Reject] = []
        self._notes: list[tuple[int, str, Sequence[str]]] = []
        self._landed: dict[int, _Key] = {}
        self._open_by_key: dict[_Key, list[int]] | None = None
        self._open_by_line: dict[int, list[tuple[int, _Key, set[str]]]] = defaultdict(list)

    def row(self, row: Row, reason: str, organization_id: str | None = None, *, is_erased: bool = False) -> None:
        """Reject a row; of an erased person nothing of it goes into the file of bad rows."""
        self._note(row.line, reason, () if is_erased else [plain(each) for each in row.all_cells])
        self._add(reason, self._key_of(row, organization_id), row.as_it_was() | {"line": row.line})

    def line(self, bad: BadLine) -> None:
        """Reject a line that is no row."""
        cells = [plain(each) for each in bad.cells]
        self._note(bad.line, bad.reason, cells)
        where = f" of {self._place.name}" if self._place else ""
        self._add(bad.reason, (None, f"line {bad.line}{where}"), {"cells": cells, "line": bad.line})

    def prepare(self, cursor: Cursor) -> None:
        """Read which rejects are open, once; without it nothing closes."""
        if self._open_by_key is not None:
            return
        self._open_by_key = defaultdict(list)
        place = self._place.name if self._place else None
        values = {"entity": self._entity, "stage": STAGE, "place": place, "at_most": MAX_OPEN}
        cursor.execute(sql("merge/reject_open.sql"), values)
        for reject_id, organization_id, identity, received in cursor.fetchall():
            key = (organization_id, identity)
            self._open_by_key[key].append(reject_id)
            if isinstance(received, dict) and isinstance(received.get("line"), int):
                self._open_by_line[received["line"]].append((reject_id, key, _cells_of(received)))

    def landed(self, row: Row, organization_id: str | None) -> None:
        """Note that a row is imported, so that what was wrong with it before closes."""
        if not self._open_by_key:
            return
        for key in (self._key_of(row, organization_id), self._key_of(row, None)):
            self._landed.update(dict.fromkeys(self._open_by_key.get(key, ()), key))
        cells = {text for text in row.as_it_was().values() if text}
        for reject_id, key, was in self._open_by_line.get(row.line, ()):
            if len(cells & was) * 2 >= len(cells):
                self._landed[reject_id] = key

    @property
    def count(self) -> int:
        """How many rows of this chunk are rejected."""
        return len(self._chunk)

    def write(self, cursor: Cursor, *, keep: bool = False) -> int:
        """Write the rejects of the chunk and close those of rows that came right; return how many are rejected.

        Of a row that names an erased person only line and reason are kept. Forgets the rejects unless `keep`, for a step that may be run
        again.
        """
        count = len(self._chunk)
        self._note_all(cursor)
        add_rejects(cursor, self._key.run_id, self._chunk)
        still_bad = {(each.organization_id, each.identity) for each in self._chunk}
        closed = [reject_id for reject_id, key in self._landed.items() if key not in still_bad]
        if closed:
            cursor.execute(sql("merge/reject_came_right.sql"), {"reject_ids": closed})
        if not keep:
            self.drop()
        return count

    def drop(self) -> None:
        """Forget the rejects of the chunk, as a dry run does."""
        self._chunk = []
        self._landed = {}

    def _key_of(self, row: Row, organization_id: str | None) -> _Key:
        for name in self._shown:
            cell = row.cells.get(name)
            value = "" if isinstance(cell, BadCell) else plain(cell).strip()
            if value:
                return organization_id, f"{name} {value}"
        is_unread = any(isinstance(cell, BadCell) for cell in row.all_cells)
        return organization_id, f"line {row.line}" if is_unread else "empty row"

    def _note(self, line: int, reason: str, cells: Sequence[str]) -> None:
        if self._bad_rows is not None:
            self._notes.append((line, reason, cells))

    def _note_all(self, cursor: Cursor) -> None:
        """Put the notes into the file of the bad rows, which outlives the erasure of whom it names."""
        if self._bad_rows is None or not self._notes:
            return
        texts = [" ; ".join(cells).replace("\x00", "") for _, _, cells in self._notes]
        cursor.execute(sql("privacy/places_naming_erased.sql"), {"texts": texts})
        erased = {place for (place,) in cursor.fetchall()}
        for place, (line, reason, cells) in enumerate(self._notes):
            self._bad_rows.add(line, reason, () if place in erased else cells)
        self._notes = []

    def _add(self, reason: str, key: _Key, payload: Mapping[str, Any]) -> None:
        kept = dict(payload) | ({"place": self._place.name} if self._place else {})
        self._chunk.append(Reject(self._entity, key[0], key[1], STAGE, reason, kept))


def _cells_of(received: Mapping[str, Any]) -> set[str]:
    """Return the cells of a rejected row, or of a rejected line with its fields apart."""
    cells = received.get("cells")
    if not isinstance(cells, list):
        cells = [value for name, value in received.items() if name not in ("line", "place")]
    texts = {each.strip() for each in cells if isinstance(each, str)}
    for mark in (";", ",", "\t", "|"):
        texts |= {part.strip(' "') for text in list(texts) if mark in text for part in text.split(mark)}
    return texts - {""}
