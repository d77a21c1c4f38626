"""How a table is written as a file: CSV, Excel, Parquet and packed, and changes of its lines, headings and cells."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet

Table = list[list[Any]]
"""The headings and the rows."""


def lines_of(table: Table, separator: str = ";", end: str = "\r\n") -> list[str]:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(table)
    return text.getvalue().split(end)[:-1]


def as_csv(
    encoding: str = "utf-8",
    separator: str = ";",
    end: str = "\r\n",
    before: str = "",
    after: str = "",
    change: Callable[[list[str]], list[str]] = list,
) -> Callable[[Table], bytes]:
    """Write CSV; `change` works on the lines, the headings first."""

    def write(table: Table) -> bytes:
        lines = change(lines_of(table, separator, end))
        return (before + "".join(line + end for line in lines) + after).encode(encoding)

    return write


def zipped(write: Callable[[Table], bytes]) -> Callable[[Table], bytes]:
    return lambda table: gzip.compress(write(table))


def quoted(separator: str = ";") -> Callable[[Table], bytes]:
    def write(table: Table) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(table)
        return text.getvalue().encode()

    return write


def on_cells(change: Callable[[Table], Table], write: Callable[[Table], bytes]) -> Callable[[Table], bytes]:
    return lambda table: write(change([list(row) for row in table]))


def excel(
    *,
    before: Table | None = None,
    cover: Table | None = None,
    second: Callable[[Table], Table] | None = None,
    hidden: bool = False,
    change: Callable[[Table], Table] = lambda table: table,
) -> Callable[[Table], bytes]:
    """Write a workbook: rows before the headings, a cover sheet, a second sheet made of the table, a hidden sheet with it."""

    def write(table: Table) -> bytes:
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        if cover:
            for row in cover:
                sheet.append(row)
            sheet = book.create_sheet("Гости")
        for row in [*(before or []), *change([list(each) for each in table])]:
            sheet.append(row)
        if second:
            other = book.create_sheet("Второй")
            for row in second(table):
                other.append(row)
        if hidden:
            other = book.create_sheet("Старый")
            other.sheet_state = "hidden"
            for row in table:
                other.append(row)
        return saved(book)

    return write


def saved(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def parquet(change: Callable[[Table], Table] = lambda table: table) -> Callable[[Table], bytes]:
    def write(table: Table) -> bytes:
        headings, *rows = change([list(row) for row in table])
        columns = [pyarrow.array(list(column)) for column in zip(*rows, strict=True)]
        content = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(columns, names=headings), content)
        return content.getvalue()

    return write


def with_column(heading: Any, value: Any, place: int = 0) -> Callable[[Table], Table]:
    """Put another column into a table."""

    def change(table: Table) -> Table:
        for number, row in enumerate(table):
            row.insert(place if place >= 0 else len(row), value if number else heading)
        return table

    return change


def line(number: int, change: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    """Change the line of that number of the file, from 1."""
    return lambda lines: [change(each) if place == number else each for place, each in enumerate(lines, start=1)]


def heading(change: Callable[[str], str]) -> Callable[[Table], Table]:
    return lambda table: [[change(str(each)) for each in table[0]], *table[1:]]


def without_last_separator(text: str) -> str:
    return text.rpartition(";")[0]
