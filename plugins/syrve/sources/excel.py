"""Reads .xlsx row by row; what claims to be huge is refused before it is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import IO, Any
from xml.parsers.expat import ExpatError

from syrve.sources.columns import Columns
from syrve.sources.errors import UnusableSource
from syrve.sources.excel_book import Book, Sheet
from syrve.sources.excel_layout import HIDDEN_ROW, Layout
from syrve.sources.excel_sheet import Cell, SheetRow
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Limits
from syrve.sources.number_format import seen_number, seen_text, shows_whole_date
from syrve.sources.row import SPREADSHEET_ERROR, BadCell
from syrve.sources.source import BadLine, Chunk, Facts, Line, tabulate

HEADER_WITHIN_ROWS = 20
UNREADABLE = (
    LookupError,
    ValueError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ExpatError,
    zlib.error,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
)
"""What is raised for a file that is no workbook, or a broken one."""
_MAX_DIGITS = 15
_MAX_EMPTY_ROWS = 20_000
_ROWS_A_LOOK = 10
"""After so many rows the time is looked at: one row can hold a hundred thousand cells."""
_ROUNDED = BadCell(
    "is a number of more than 15 digits, of which the spreadsheet has lost the last ones; store the column as text"
)
_HIDDEN = BadCell("is hidden or put otherwise by the format of the cell; store the column as text")
_NO_WHOLE_DATE = BadCell("is a date of which the format of the cell hides the day, month or year; show all three")
_NOT_CALCULATED = BadCell(
    "holds a formula without its result; open the file in a spreadsheet and save it, or paste values"
)


def excel_chunks(
    file: IO[bytes], columns: Columns, file_format: FileFormat, facts: Facts, limits: Limits = LIMITS
) -> Iterator[Chunk]:
    """Give the rows of the sheet that has the headings, or of the stated one; raise `UnusableSource`."""
    facts.format = "Excel"
    with _Table(file, limits) as table:
        sheet, facts.header_line, headings = _find_header(table, columns, file_format)
        facts.sheet = table.sheets.index(sheet) + 1
        layout, width = table.layout(sheet), len(headings)
        body = (line for line in layout.covered(table.rows(sheet), width) if line[0] > (facts.header_line or 0))
        matched = columns.match(headings, file_format.columns)
        yield from tabulate(matched, _fitted(body, width, layout), columns, file_format, facts, limits=limits)


class _Table:
    """An open workbook; `rows` gives lines of cells, with the results of formulas where they are stored."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        self._limits = limits
        self._looked_at = 0  # rows of all sheets, the empty ones too
        with _readable():
            self._book = Book(file, limits)
        self.sheets = self._book.sheets

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()

    def layout(self, sheet: Sheet) -> Layout:
        """What people don't see of the rows of a sheet."""
        with _readable():
            return self._book.layout(sheet)

    def rows(self, sheet: Sheet) -> Iterator[tuple[int, list[Any]]]:
        """Give the rows that hold something, with their numbers."""
        last = 0
        with _readable():
            for row in self._book.rows(sheet):
                self._looked_at += 1
                if self._looked_at % _ROWS_A_LOOK == 0:
                    self._book.deadline.check(row.number)
                if row.number - last > _MAX_EMPTY_ROWS:
                    raise UnusableSource(f"the sheet goes on for more than {_MAX_EMPTY_ROWS:,} empty rows; delete them")
                if row.cells:
                    last = row.number
                    yield row.number, self._line(row)

    def _line(self, row: SheetRow) -> list[Any]:
        width = row.width
        if width > self._limits.max_columns:
            width = row.cells[-1].place + 1
            if width > self._limits.max_columns:
                raise UnusableSource(f"row {row.number} of the sheet has more than {self._limits.max_columns} columns")
        line: list[Any] = [None] * width
        for cell in row.cells:
            line[cell.place] = _calculated(cell)
        return line


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except UnusableSource:
        raise
    except UNREADABLE as error:
        raise UnusableSource(f"the file is not readable as .xlsx ({type(error).__name__})") from None


def _calculated(cell: Cell) -> Any:
    if cell.has_formula:
        if cell.constant is not None:
            return cell.constant
        if cell.value is None:
            return None if cell.kind == "str" else _NOT_CALCULATED  # its result is an empty text
    return _value(cell)


def _value(cell: Cell) -> Any:
    value, shown_as = cell.value, cell.format.code
    if isinstance(value, str):
        if cell.kind == "e":
            return BadCell(SPREADSHEET_ERROR)
        shown = seen_text(value, shown_as)
        return _HIDDEN if shown is None and value else shown
    if isinstance(value, date):
        return value if shows_whole_date(shown_as) else _NO_WHOLE_DATE
    if value is None or isinstance(value, bool):
        return BadCell(SPREADSHEET_ERROR) if cell.kind == "e" else value
    if isinstance(value, int | float):
        # A spreadsheet keeps 15 digits and shows no more: 0.30000000000000004 is 0.3 there.
        if abs(value) >= 10**_MAX_DIGITS:
            return _ROUNDED
        number = Decimal(f"{value:.{_MAX_DIGITS}g}")
        return seen_number(int(number) if number == number.to_integral_value() else number, shown_as)
    return BadCell(f"holds a {type(value).__name__}, not a text, number or date")


def _find_header(table: _Table, columns: Columns, file_format: FileFormat) -> tuple[Sheet, int, list[Any]]:
    stated = [sheet for sheet in table.sheets if sheet.title == file_format.sheet]
    if file_format.sheet is not None and not stated:
        raise UnusableSource("the file has no sheet of the name that the form states")
    sheets = stated or [sheet for sheet in table.sheets if sheet.is_visible]
    found: list[tuple[Sheet, int, list[Any]]] = []
    empty = True
    for sheet in sheets:
        best: tuple[int, int, list[Any]] | None = None
        for number, cells in islice(table.rows(sheet), file_format.header_row or HEADER_WITHIN_ROWS):
            empty = False
            known = columns.recognized(cells, file_format.columns) if file_format.header_row in (None, number) else 0
            if known and (best is None or known > best[0]):
                best = (known, number, cells)
        if best:
            found.append((sheet, best[1], best[2]))
    if len(found) > 1:
        raise UnusableSource(f"{len(found)} sheets of the file name columns; state the sheet in the form")
    if found:
        return found[0]
    if not table.sheets:
        raise UnusableSource(
            "no sheet of the file can be read; save it as Excel Workbook (.xlsx), not as Strict Open XML, or as .csv"
        )
    if empty:
        raise UnusableSource("the file must begin with a line of column names")
    columns.check(set())
    raise UnusableSource("no column of the file is known")


def _fitted(lines: Iterator[tuple[int, list[Any]]], width: int, layout: Layout) -> Iterator[Line]:
    for number, cells in lines:
        if layout.is_hidden(number):
            yield BadLine(number, HIDDEN_ROW, cells)
        elif any(cell is not None and str(cell).strip() for cell in cells[width:]):
            yield BadLine(number, f"has a value to the right of the {width} columns", cells)
        else:
            yield number, [*cells, *[None] * (width - len(cells))][:width]
