"""Reads .xlsx row by row; what claims to be huge is refused before it is unpacked."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice, zip_longest
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from syrve.optional import require_extra
from syrve.sources.columns import Columns
from syrve.sources.errors import UnusableSource
from syrve.sources.excel_layout import HIDDEN_ROW, Layout
from syrve.sources.excel_parts import TOO_LARGE, BoundedArchive
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Deadline, Limits
from syrve.sources.number_format import seen_number, seen_text, shows_whole_date
from syrve.sources.row import SPREADSHEET_ERROR, BadCell
from syrve.sources.source import BadLine, Chunk, Facts, Line, tabulate

HEADER_WITHIN_ROWS = 20
UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    ParseError,
    zipfile.BadZipFile,
)
"""What openpyxl raises for a file that is no workbook, or a broken one."""
_MAX_DIGITS = 15
_MAX_EMPTY_ROWS = 20_000
_ROWS_A_LOOK = 10
"""After so many rows the time is looked at: one row can hold a hundred thousand cells."""
_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
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
    require_extra("excel", "a .xlsx file", UnusableSource)  # first: without it nothing more is worth saying of the file
    has_formulas = _check_size(file, limits)
    with _Book(file, has_formulas, limits) as book:
        title, facts.header_line, headings = _find_header(book, columns, file_format)
        facts.sheet = book.all_sheets().index(title) + 1
        layout, width = book.layout(title), len(headings)
        body = (line for line in layout.covered(book.rows(title), width) if line[0] > (facts.header_line or 0))
        matched = columns.match(headings, file_format.columns)
        yield from tabulate(matched, _fitted(body, width, layout), columns, file_format, facts, limits=limits)


def open_workbook(file: IO[bytes], *, formulas: bool = False, limits: Limits = LIMITS) -> Any:
    """Open a workbook of openpyxl to be read, with results or with formulas, whose parts are bounded.

    Raises `UnusableSource`, and one of `UNREADABLE`.
    """
    require_extra("excel", "a .xlsx file", UnusableSource)
    import openpyxl

    if not openpyxl.DEFUSEDXML:
        raise UnusableSource(
            "no .xlsx is read without defusedxml, which keeps a small file from unpacking to any size: install it, "
            "and leave OPENPYXL_DEFUSEDXML unset; or save the table as .csv"
        )
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.xml.constants import SHARED_STRINGS

    reader = ExcelReader(file, read_only=True, data_only=not formulas, keep_links=False)
    reader.archive.close()
    reader.archive = archive = BoundedArchive(file, limits)
    reader.read_manifest()
    strings = reader.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call]
    if strings is not None:
        archive.admit_strings(strings.PartName[1:])
    try:
        reader.read()
    except ValueError as error:  # openpyxl wraps every such error
        if isinstance(error.__cause__, UnusableSource):
            raise error.__cause__ from None
        raise
    return reader.wb


class _Book:
    """An open workbook; `rows` gives lines of cells, with the results of formulas where they are stored."""

    def __init__(self, file: IO[bytes], has_formulas: bool, limits: Limits) -> None:
        self._limits = limits
        self._deadline = Deadline(limits)
        self._looked_at = 0  # rows of all sheets, the empty ones too
        try:
            self._values = open_workbook(file, limits=limits)
            self._formulas = open_workbook(file, formulas=True, limits=limits) if has_formulas else None
        except UnusableSource:
            raise
        except UNREADABLE as error:
            raise UnusableSource(f"the file is not readable as .xlsx ({type(error).__name__})") from None

    def __enter__(self) -> _Book:
        return self

    def __exit__(self, *_: object) -> None:
        for book in (self._values, self._formulas):
            if book is not None:
                book.close()

    def sheets(self) -> list[str]:
        """The names of the sheets that people see."""
        return [sheet.title for sheet in self._values.worksheets if sheet.sheet_state == "visible"]

    def all_sheets(self) -> list[str]:
        """The names of all sheets of cells, hidden ones included."""
        return [sheet.title for sheet in self._values.worksheets]

    def layout(self, title: str) -> Layout:
        """What people don't see of the rows of a sheet that was read before."""
        layout: Layout = self._values._archive.layouts[str(self._values[title]._worksheet_path)]
        return layout

    def rows(self, title: str) -> Iterator[tuple[int, list[Any]]]:
        """Give the rows with their numbers; rows that are not in the file are left out."""
        empty = 0
        try:
            for number, cells in self._cells(title):
                self._looked_at += 1
                if self._looked_at % _ROWS_A_LOOK == 0:
                    self._deadline.check(number)
                if not cells:
                    empty += 1
                    if empty > _MAX_EMPTY_ROWS:
                        raise UnusableSource(
                            f"the sheet goes on for more than {_MAX_EMPTY_ROWS:,} empty rows; delete them"
                        )
                    continue
                empty = 0
                yield number, cells
        except UnusableSource:
            raise
        except UNREADABLE as error:
            raise UnusableSource(f"the file is not readable as .xlsx ({type(error).__name__})") from None

    def _cells(self, title: str) -> Iterator[tuple[int, list[Any]]]:
        values = self._sheet_rows(self._values, title)
        if self._formulas is None:
            yield from ((number, [_value(cell) for cell in cells]) for number, cells in values)
            return
        for (number, cells), (_, formulas) in zip(values, self._sheet_rows(self._formulas, title), strict=True):
            yield number, [_calculated(cell, formula) for cell, formula in zip_longest(cells, formulas)]

    def _sheet_rows(self, book: Any, title: str) -> Iterator[tuple[int, Sequence[Any]]]:
        sheet = book[title]
        sheet.reset_dimensions()
        for number, cells in enumerate(sheet.rows, start=1):
            if len(cells) > self._limits.max_columns:
                filled = max((place for place, cell in enumerate(cells, start=1) if cell.value is not None), default=0)
                if filled > self._limits.max_columns:
                    raise UnusableSource(f"row {number} of the sheet has more than {self._limits.max_columns} columns")
                cells = cells[:filled]
            yield number, () if all(cell.value is None and cell.data_type != "f" for cell in cells) else cells


def _value(cell: Any) -> Any:
    value = cell.value
    if isinstance(value, str):
        if cell.data_type == "e":
            return BadCell(SPREADSHEET_ERROR)
        shown = seen_text(_as_typed(value), cell.number_format)
        return _HIDDEN if shown is None and value else shown
    if isinstance(value, date):
        return value if not cell.is_date or shows_whole_date(cell.number_format) else _NO_WHOLE_DATE
    if value is None or isinstance(value, bool):
        return BadCell(SPREADSHEET_ERROR) if cell.data_type == "e" else value
    if isinstance(value, int | float):
        # A spreadsheet keeps 15 digits and shows no more: 0.30000000000000004 is 0.3 there.
        if abs(value) >= 10**_MAX_DIGITS:
            return _ROUNDED
        number = Decimal(f"{value:.{_MAX_DIGITS}g}")
        return seen_number(int(number) if number == number.to_integral_value() else number, cell.number_format)
    return BadCell(f"holds a {type(value).__name__}, not a text, number or date")


def _as_typed(value: str) -> str:
    """Return a text with the characters that the format of the file writes as `_x000D_`."""
    if "_x" not in value:
        return value
    from openpyxl.utils.escape import unescape

    return str(unescape(value))


def _calculated(cell: Any, formula: Any) -> Any:
    if formula is None or formula.data_type != "f":
        return None if cell is None else _value(cell)
    text = formula.value if isinstance(formula.value, str) else ""
    constant = _TEXT_FORMULA.fullmatch(text)
    if constant:
        return constant[1].replace('""', '"')
    if cell is not None and cell.value is None and cell.data_type == "str":
        return None  # its result is an empty text
    return _NOT_CALCULATED if cell is None or cell.value is None else _value(cell)


def _check_size(file: IO[bytes], limits: Limits) -> bool:
    """Refuse a file that unpacks to too much; return whether any sheet holds a formula."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > limits.max_bytes or len(parts) > 10_000:
                raise UnusableSource(TOO_LARGE)
            for part in parts:
                bound = limits.max_sheet_bytes if "sheet" in part.filename else limits.max_sheet_bytes // 10
                packed = max(1, part.compress_size)
                is_bomb = part.file_size > limits.ratio_free_bytes and part.file_size > packed * limits.max_ratio
                if part.file_size > bound or is_bomb:
                    raise UnusableSource(TOO_LARGE)
            return any(_has_formula(archive, part) for part in parts if "worksheets/" in part.filename)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnusableSource(f"the file is not readable as .xlsx ({type(error).__name__})") from None
    finally:
        file.seek(0)


def _has_formula(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    before = b""
    with archive.open(part) as sheet:
        while piece := sheet.read(1 << 20):
            if re.search(rb"<(?:\w+:)?f[ >/]", before + piece):
                return True
            before = piece[-8:]
    return False


def _find_header(book: _Book, columns: Columns, file_format: FileFormat) -> tuple[str, int, list[Any]]:
    if file_format.sheet is not None and file_format.sheet not in book.all_sheets():
        raise UnusableSource("the file has no sheet of the name that the form states")
    sheets = [file_format.sheet] if file_format.sheet is not None else book.sheets()
    found: list[tuple[str, int, list[Any]]] = []
    empty = True
    for title in sheets:
        best: tuple[int, int, list[Any]] | None = None
        for number, cells in islice(book.rows(title), file_format.header_row or HEADER_WITHIN_ROWS):
            empty = False
            known = columns.recognized(cells, file_format.columns) if file_format.header_row in (None, number) else 0
            if known and (best is None or known > best[0]):
                best = (known, number, cells)
        if best:
            found.append((title, best[1], best[2]))
    if len(found) > 1:
        raise UnusableSource(f"{len(found)} sheets of the file name columns; state the sheet in the form")
    if found:
        return found[0]
    if not book.all_sheets():
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
