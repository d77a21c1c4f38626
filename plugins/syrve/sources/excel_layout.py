"""What people don't see of a sheet's rows: those that are hidden, and cells under a merged one, of which only the first holds the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from syrve.sources.errors import UnusableSource
from syrve.sources.excel_xml import MAIN, TOO_LARGE, Archive, new_parser
from syrve.sources.row import BadCell

HIDDEN_ROW = "the row is hidden in the sheet, perhaps by a filter: show it, or delete it"
_COVERED = BadCell("is under a merged cell, whose value is stored in its first cell only; unmerge the cells")
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})")
_NUMBER = re.compile(r"([0-9]{1,7})(?:\.0+)?")
_ROW, _MERGED = f"{MAIN}}}row", f"{MAIN}}}mergeCell"


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
        self._row = row_number(attributes, self._row)
        if attributes.get("hidden") in ("1", "true"):
            place, bit = divmod(self._row, 8)
            self._hidden.extend(bytes(max(0, place + 1 - len(self._hidden))))
            self._hidden[place] |= 1 << bit

    def note_merged(self, attributes: Mapping[str, str]) -> None:
        """Note a merged cell."""
        found = _RANGE.fullmatch(attributes.get("ref", ""))
        if found:
            self.merged.add(Merged(int(found[2]), int(found[4]), place_of(found[1]), place_of(found[3])))

    def is_hidden(self, row: int) -> bool:
        """Whether the row is not shown."""
        place, bit = divmod(row, 8)
        return place < len(self._hidden) and bool(self._hidden[place] >> bit & 1)

    def covered(self, rows: Iterable[tuple[int, list[Any]]], width: int) -> Iterator[tuple[int, list[Any]]]:
        """Give rows, in their order, with a `BadCell` for each of the first `width` cells under a merged one; not for blank rows."""
        coming = sorted(self.merged, reverse=True)
        until = [0] * width  # the last row in which a place is covered
        last = 0
        for number, cells in rows:
            first_cells: set[int] = set()
            while coming and coming[-1].first_row <= number:
                merged = coming.pop()
                places = slice(merged.first_place, merged.last_place + 1)
                if merged.last_row < number or not until[places]:
                    continue
                if (
                    max(until[places]) >= merged.first_row
                ):  # no spreadsheet writes it, and each would cost as much again
                    raise UnusableSource("merged cells of the sheet overlap; save it in a spreadsheet")
                until[places] = [merged.last_row] * len(until[places])
                last = max(last, merged.last_row)
                if merged.first_row == number:
                    first_cells.add(merged.first_place)
            if number <= last and any(cell is not None for cell in cells):
                cells = [*cells, *[None] * (width - len(cells))]
                for place in range(width):
                    if until[place] >= number and place not in first_cells:
                        cells[place] = _COVERED
            yield number, cells


def row_number(attributes: Mapping[str, str], last: int) -> int:
    """Return the number of the row with these attributes, after the row `last`; some programs leave it out, some write `5.0`."""
    text = attributes.get("r")
    found = _NUMBER.fullmatch(text) if text is not None else None
    if text is not None and not found:
        raise ValueError("the number of a row")
    return int(found[1]) if found else last + 1


@lru_cache(maxsize=1_000)
def place_of(letters: str) -> int:
    """Return the place of a column, from 0."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def read_layout(archive: Archive, name: str) -> Layout:
    """Return what people don't see of the rows of a sheet; raise `UnusableSource` if it has too much in one row, or beside the rows."""
    layout, most = Layout(), archive.limits.max_row_tags
    is_row, in_row, outside = False, 0, 0

    def start(element: str, attributes: dict[str, str]) -> None:
        nonlocal is_row, in_row, outside
        if element == _ROW and not is_row:
            is_row, in_row = True, 0
            layout.note_row(attributes)
        elif is_row:
            in_row += 1 + len(attributes)
        else:
            outside += 1 + len(attributes)
            if element == _MERGED:
                layout.note_merged(attributes)
        if in_row > most or outside > most:
            raise UnusableSource(TOO_LARGE)

    def end(element: str) -> None:
        nonlocal is_row
        is_row = is_row and element != _ROW

    archive.read_through(name, new_parser(start, end))
    return layout
