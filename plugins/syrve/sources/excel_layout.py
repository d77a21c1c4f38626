"""What people don't see of a sheet's rows: those that are hidden, and cells under a merged one, of which only the first holds the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from syrve.sources.errors import UnusableSource
from syrve.sources.row import BadCell

HIDDEN_ROW = "the row is hidden in the sheet, perhaps by a filter: show it, or delete it"
_COVERED = BadCell("is under a merged cell, whose value is stored in its first cell only; unmerge the cells")
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})")
_MOST_AT_ONCE = 20_000
"""More merged cells in one row than a sheet has columns: they overlap, which no spreadsheet writes."""


class Merged(NamedTuple):
    """A merged cell: rows from 1, columns from 0, both ends included."""

    first_row: int
    last_row: int
    first_place: int
    last_place: int


@dataclass(slots=True)
class Layout:
    """The hidden rows and the merged cells of a sheet, noted while it is checked; a bit for each row."""

    merged: set[Merged] = field(default_factory=set)
    _hidden: bytearray = field(default_factory=bytearray)
    _row: int = 0

    def note_row(self, attributes: Mapping[str, str]) -> None:
        """Note the row that begins with these attributes."""
        number = attributes.get("r", "")
        self._row = int(number) if number.isdecimal() and len(number) <= 7 else self._row + 1
        if attributes.get("hidden") in ("1", "true"):
            place, bit = divmod(self._row, 8)
            self._hidden.extend(bytes(max(0, place + 1 - len(self._hidden))))
            self._hidden[place] |= 1 << bit

    def note_merged(self, attributes: Mapping[str, str]) -> None:
        """Note a merged cell."""
        found = _RANGE.fullmatch(attributes.get("ref", ""))
        if found:
            self.merged.add(Merged(int(found[2]), int(found[4]), _place(found[1]), _place(found[3])))

    def is_hidden(self, row: int) -> bool:
        """Whether the row is not shown."""
        place, bit = divmod(row, 8)
        return place < len(self._hidden) and bool(self._hidden[place] >> bit & 1)

    def covered(self, rows: Iterable[tuple[int, list[Any]]], width: int) -> Iterator[tuple[int, list[Any]]]:
        """Give rows, in their order, with a `BadCell` for each of the first `width` cells under a merged one; not for blank rows."""
        coming = sorted(self.merged, reverse=True)
        active: list[Merged] = []
        for number, cells in rows:
            while coming and coming[-1].first_row <= number:
                active.append(coming.pop())
            active = [each for each in active if each.last_row >= number]
            if len(active) > _MOST_AT_ONCE:
                raise UnusableSource("merged cells of the sheet overlap; save it in a spreadsheet")
            if active and any(cell is not None for cell in cells):
                cells = [*cells, *[None] * (width - len(cells))]
                for place in _places_under(active, number, width):
                    cells[place] = _COVERED
            yield number, cells


def _places_under(merged: Iterable[Merged], row: int, width: int) -> Iterator[int]:
    for each in merged:
        first = each.first_place + (row == each.first_row)
        yield from range(first, min(each.last_place + 1, width))


def _place(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
