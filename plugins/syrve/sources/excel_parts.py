"""Bounds what a part of an .xlsx comes to in memory, which is many times its size: 30 KB can hold a million styles.

openpyxl reads sheets row by row, and every other part whole. Which part is which, the file itself says; so parts are bounded as they are
opened.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from typing import IO, Any
from xml.parsers import expat

from syrve.sources.errors import UnusableSource
from syrve.sources.excel_layout import Layout
from syrve.sources.limits import Limits

TOO_LARGE = "the file unpacks to more than a spreadsheet may hold; save the table as .csv"
ONE_PART = "sheets of the file share one part, which no spreadsheet writes; save the table as .csv"
LONG_FORMULAS = "the sheet repeats long formulas too often; paste the values in their place, or save the table as .csv"
_STEP_BYTES = 1 << 20
_MOST_OPENED = 8
"""How often one part is opened: for its size, its headings and its rows, with some to spare."""


class BoundedArchive(zipfile.ZipFile):
    """A zip file for openpyxl: `read` and `open` raise `UnusableSource` for a part that would take too much memory as XML."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        super().__init__(file)
        self._limits = limits
        self._streamed: set[str] = set()
        self._opened: Counter[str] = Counter()
        self.layouts: dict[str, Layout] = {}
        """What was noted of the sheets that were opened, by the name of the part."""

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        """Read a part that becomes a tree in memory."""
        self._check_whole(name, self._limits.max_part_tags)
        with super().open(name, pwd=pwd) as content:
            return content.read()

    def open(self, name: Any, *arguments: Any, **options: Any) -> Any:
        """Open a sheet, of which one row is in memory at a time."""
        self._opened[str(name)] += 1
        if self._opened[str(name)] > _MOST_OPENED:
            raise UnusableSource(ONE_PART)
        if str(name) not in self._streamed:
            with super().open(name) as content:
                self.layouts[str(name)] = _check_sheet(content, self._limits)
            self._streamed.add(str(name))
        return super().open(name, *arguments, **options)

    def admit_strings(self, name: str) -> None:
        """Check the part that holds the texts of all sheets: a list in memory."""
        self._check_whole(name, self._limits.max_string_tags)
        self._streamed.add(name)

    def _check_whole(self, name: Any, most_tags: int) -> None:
        if self.getinfo(str(name)).file_size > self._limits.max_sheet_bytes // 10:
            raise UnusableSource(TOO_LARGE)
        with super().open(name) as content:
            tags = 0
            while piece := content.read(_STEP_BYTES):
                tags += piece.count(b"<")
                if tags > most_tags:
                    raise UnusableSource(TOO_LARGE)


def _check_sheet(content: IO[bytes], limits: Limits) -> Layout:
    """Refuse a sheet with too many elements and attributes in one row, or outside of rows: they are kept till its end, or for ever.

    Returns what people don't see of its rows.
    """
    layout = Layout()
    counts = _Counts(limits, layout)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler, parser.EndElementHandler = counts.start, counts.end
    parser.EntityDeclHandler, parser.CharacterDataHandler = counts.entity, counts.text
    without_tag = 0
    try:
        while piece := content.read(_STEP_BYTES):
            without_tag = 0 if b"<" in piece else without_tag + 1
            if without_tag > 1:
                raise UnusableSource(TOO_LARGE)
            parser.Parse(piece)
    except (expat.ExpatError, _DeclaresEntities):
        pass  # openpyxl and defusedxml say what is wrong with it, and read no further than this
    return layout


class _DeclaresEntities(Exception):
    pass


class _Counts:
    def __init__(self, limits: Limits, layout: Layout) -> None:
        self._most = limits.max_row_tags
        self._most_repeated = limits.max_formula_length
        self._repeated = 0
        self._formula: str | None = None  # the key of the shared formula that is open
        self._lengths: Counter[str] = Counter()
        self._layout = layout
        self._rows_open = 0
        self._in_row = 0
        self._outside = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name.endswith("}row"):
            self._rows_open += 1
            self._layout.note_row(attributes)
        elif self._rows_open:
            self._in_row += 1 + len(attributes)
            if name.endswith("}f") and attributes.get("t") == "shared":
                self._formula = attributes.get("si", "")
                self._repeated += self._lengths[self._formula]
        else:
            self._outside += 1 + len(attributes)
            if name.endswith("}mergeCell"):
                self._layout.note_merged(attributes)
        if self._in_row > self._most or self._outside > self._most:
            raise UnusableSource(TOO_LARGE)
        if self._repeated > self._most_repeated:  # openpyxl writes it out for each cell, sign by sign
            raise UnusableSource(LONG_FORMULAS)

    def text(self, text: str) -> None:
        if self._formula is not None:
            self._lengths[self._formula] += len(text)

    def end(self, name: str) -> None:
        self._formula = None
        if name.endswith("}row"):
            self._rows_open -= 1
            if not self._rows_open:
                self._in_row = 0

    def entity(self, *_: object) -> None:
        raise _DeclaresEntities
