"""Reads the rows of a sheet of an .xlsx as they come: the work goes by the cells in the file, not by what formulas and addresses claim."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from syrve.sources.errors import UnusableSource
from syrve.sources.excel_formats import NumberFormat
from syrve.sources.excel_layout import place_of, row_number
from syrve.sources.excel_strings import RichText, as_typed
from syrve.sources.excel_xml import MAIN, TOO_LARGE, Archive, new_parser

_ROW, _CELL, _VALUE, _FORMULA, _INLINE = (f"{MAIN}}}{each}" for each in ("row", "c", "v", "f", "is"))
_ADDRESS = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_TEXT_FORMULA = re.compile(r'"((?:[^"]|"")*)"')
_LONGEST_FORMULA = 8_192
"""Characters; Excel takes no longer one."""


class Cell(NamedTuple):
    """A cell that holds something: its place from 0, its value, what kind the file says it is, and its format.

    `constant` is the text that its formula stands for, where that is `="text"`. `is_shared`: the value is one of the strings of the book.
    """

    place: int
    value: Any
    kind: str
    format: NumberFormat
    has_formula: bool = False
    constant: str | None = None
    is_shared: bool = False


class SheetRow(NamedTuple):
    """A row of the file: its number from 1, its cells that hold something, and how far all cells reach."""

    number: int
    cells: list[Cell]
    width: int


class Shared(NamedTuple):
    """What the sheets of a book have in common."""

    strings: list[str]
    formats: list[NumberFormat]
    epoch: datetime


def sheet_rows(archive: Archive, name: str, shared: Shared) -> Iterator[SheetRow]:
    """Give the rows of a sheet in their order; raise `UnusableSource`, or an error of the content as Python has it."""
    reader = _Reader(archive, shared)
    for _ in archive.fed(name, new_parser(reader.start, reader.end, reader.text)):
        yield from reader.take()


class _Reader:
    def __init__(self, archive: Archive, shared: Shared) -> None:
        self._limits = archive.limits
        self._most = archive.limits.max_row_tags
        self._shared = shared
        self._done: list[SheetRow] = []
        self._row = 0
        self._is_row = self._is_counted = False  # the number of the row is counted, as the file doesn't state it
        self._in_row = self._outside = 0
        self._cells: dict[int, Cell] = {}
        self._width = 0
        self._place = -1
        self._cell: dict[str, str] | None = None  # the attributes of the open cell
        self._rich = RichText(self._limits)
        self._has_inline = False
        self._open = ""  # the value or formula that is open
        self._pieces: dict[str, list[str]] = {}
        self._length = 0
        self._formula: dict[str, str] = {}
        self._constants: dict[str, str] = {}  # texts of shared formulas
        self._kept = 0  # their characters

    def take(self) -> list[SheetRow]:
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._cell is not None:
            if name in (_VALUE, _FORMULA):
                self._open = name if name not in self._pieces else ""
                self._pieces.setdefault(name, [])
                if name == _FORMULA and self._open:
                    self._formula = attributes
            else:
                self._has_inline |= name == _INLINE
                self._rich.start(name)
        elif name == _CELL and self._is_row:
            self._begin_cell(attributes)
        elif name == _ROW and not self._is_row:
            self._begin_row(attributes)
        if self._is_row:
            self._in_row += 1 + len(attributes)
        else:
            self._outside += 1 + len(attributes)
        if self._in_row > self._most or self._outside > self._most:
            raise UnusableSource(TOO_LARGE)

    def text(self, text: str) -> None:
        if self._open:
            self._length += len(text)
            if self._length > self._limits.max_line_length:
                raise UnusableSource(TOO_LARGE)
            self._pieces[self._open].append(text)
        elif self._cell is not None:
            self._rich.add(text)

    def end(self, name: str) -> None:
        if self._cell is not None:
            if name == _CELL:
                self._end_cell(self._cell)
                self._cell = None
            elif name == self._open:
                self._open = ""
            else:
                self._rich.end(name)
        elif name == _ROW and self._is_row:
            self._is_row = False
            cells = [self._cells[place] for place in sorted(self._cells)]
            self._done.append(SheetRow(self._row, cells, self._width))

    def _begin_row(self, attributes: dict[str, str]) -> None:
        number = row_number(attributes, self._row)
        if number <= self._row:
            raise UnusableSource("rows of the sheet are not in their order; save it in a spreadsheet")
        self._row, self._place, self._width, self._in_row = number, -1, 0, 0
        self._is_row, self._is_counted, self._cells = True, "r" not in attributes, {}

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._cell, self._pieces, self._formula, self._length = attributes, {}, {}, 0
        self._open, self._has_inline = "", False
        self._rich.clear()

    def _end_cell(self, attributes: dict[str, str]) -> None:
        address = attributes.get("r")
        if address is not None:
            found = _ADDRESS.fullmatch(address)
            if not found:
                raise ValueError("the address of a cell")
            if self._is_counted and int(found[2]) != self._row:  # whose merged cells and hidden rows are not known
                raise UnusableSource("a row of the sheet states no number; save it in a spreadsheet")
            self._place = place_of(found[1].upper())
        else:
            self._place += 1
        self._width = max(self._width, self._place + 1)
        has_formula = _FORMULA in self._pieces
        constant = self._constant() if has_formula else None
        kind = attributes.get("t", "n")
        value, kind = self._value(kind, attributes)
        if value is None and not has_formula:
            self._cells.pop(self._place, None)
            return
        self._cells[self._place] = Cell(
            self._place, value, kind, self._format(attributes), has_formula, constant, attributes.get("t") == "s"
        )

    def _constant(self) -> str | None:
        """Return the text that a formula stands for; a shared one has its text in the first of its cells only."""
        key = self._formula.get("si", "") if self._formula.get("t") == "shared" else None
        text = "".join(self._pieces[_FORMULA])
        if not text:
            return None if key is None else self._constants.get(key)
        if self._formula.get("t") not in (None, "normal", "shared"):
            return None
        found = _TEXT_FORMULA.fullmatch(text) if len(text) <= _LONGEST_FORMULA else None
        constant = found[1].replace('""', '"') if found else None
        if key is not None and constant is not None:
            self._constants[key] = constant
            self._kept += len(constant)
            if self._kept > self._limits.max_chunk_length:
                raise UnusableSource(TOO_LARGE)
        return constant

    def _format(self, attributes: dict[str, str]) -> NumberFormat:
        return self._shared.formats[_place_in(attributes.get("s", "0"))]

    def _value(self, kind: str, attributes: dict[str, str]) -> tuple[Any, str]:
        if kind == "inlineStr":
            return (self._rich.take(), "s") if self._has_inline else (None, kind)
        text = "".join(self._pieces.get(_VALUE, ()))
        if not text:
            return None, kind
        match kind:
            case "n":
                return self._number(text, self._format(attributes))
            case "s":
                return self._shared.strings[_place_in(text)], kind
            case "b":
                word = text.strip().lower()
                return word == "true" if word in ("true", "false") else bool(int(word)), kind
            case "d":
                from openpyxl.utils.datetime import from_ISO8601

                return from_ISO8601(text), kind  # type: ignore[no-untyped-call]
        return as_typed(text), "s" if kind == "str" else kind

    def _number(self, text: str, style: NumberFormat) -> tuple[Any, str]:
        number = float(text) if any(sign in text for sign in ".eE") else int(text)
        if not style.is_date:
            return number, "n"
        from openpyxl.utils.datetime import from_excel

        try:
            return from_excel(number, self._shared.epoch, timedelta=style.is_duration), "d"
        except (OverflowError, ValueError):  # beyond the days that there are
            return "#VALUE!", "e"


def _place_in(text: str) -> int:
    place = int(text)
    if place < 0:
        raise IndexError("a place before the first one")
    return place
