"""Forms that files of guests really have: what a person would read in them, or the line and the reason for which they are refused.

A form is made from a plain table, so that each goes through all imports; there is no real person's datum in it.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import openpyxl

from sources.written_files import (
    Table,
    as_csv,
    excel,
    heading,
    line,
    on_cells,
    parquet,
    quoted,
    saved,
    with_column,
    without_last_separator,
    zipped,
)

ORGANIZATION = "5f4e000a-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Form:
    """How to write a table as a file, and what an import must make of it.

    `rows` are the places of the table's rows that are read (None: all); `bad` maps lines of the file to what the reason holds; `refused`
    is what the text holds if the whole file is refused. `stated` is what the form states of the file.
    """

    write: Callable[[Table], bytes]
    name: str = "guests.csv"
    rows: Sequence[int] | None = None
    bad: dict[int, str] = field(default_factory=dict)
    refused: str | None = None
    stated: dict[str, Any] = field(default_factory=dict)


RUSSIAN = {
    "phone": "Телефон",
    "customer_id": "ID гостя",
    "name": "Имя",
    "amount": "Сумма",
    "record": "Вид записи",
    "key": "Ключ",
    "wallet_id": "ID кошелька",
    "occurred_at": "Дата и время",
    "organization_id": "ID организации",
}


def russian(table: Table) -> Table:
    return [[RUSSIAN[each] for each in table[0]], *table[1:]]


def _swallowed(lines: list[str]) -> list[str]:
    """Open a quote in line 3 and another in line 4, as stray ones do."""
    changed = list(lines)
    changed[2] = _with_quote(lines[2])
    changed[3] = _with_quote(lines[3])
    return changed


def _with_quote(text: str) -> str:
    head, _, tail = text.rpartition(";")
    return f'{head};"{tail}'


def _huge_sheet(table: Table) -> bytes:
    book = openpyxl.Workbook()
    for row in table:
        book.worksheets[0].append(row)
    book.worksheets[0].cell(row=900_000, column=1, value="x")
    return saved(book)


def _wide_sheet(table: Table) -> bytes:
    book = openpyxl.Workbook()
    for row in table:
        book.worksheets[0].append(row)
    book.worksheets[0].cell(row=2, column=16_000, value="x")
    return saved(book)


def _with_formula(table: Table) -> bytes:
    book = openpyxl.Workbook()
    for row in table:
        book.worksheets[0].append(row)
    place = next(place for place, each in enumerate(table[0], start=1) if each in ("phone", "key"))
    book.worksheets[0].cell(row=3, column=place, value="=A1&B1")
    return saved(book)


def _constant_formulas(table: Table) -> bytes:
    book = openpyxl.Workbook()
    for number, row in enumerate(table):
        book.worksheets[0].append([f'="{each}"' if number else each for each in row])
    return saved(book)


NO_DOUBT = "state the encoding"
FORMS: dict[str, Form] = {
    # encodings
    "UTF-8": Form(as_csv()),
    "UTF-8 with a mark": Form(as_csv("utf-8-sig")),
    "UTF-16 with a mark": Form(as_csv("utf-16")),
    "UTF-16 little end without a mark": Form(as_csv("utf-16-le")),
    "UTF-16 big end without a mark": Form(as_csv("utf-16-be")),
    "UTF-32 with a mark": Form(as_csv("utf-32")),
    "windows-1251 stated": Form(as_csv("cp1251"), stated={"encoding": "windows-1251"}),
    "windows-1251 with Russian headings": Form(on_cells(russian, as_csv("cp1251"))),
    "koi8-r with Russian headings": Form(on_cells(russian, as_csv("koi8-r"))),
    "cp866 with Russian headings": Form(on_cells(russian, as_csv("cp866"))),
    "Macintosh with Russian headings": Form(on_cells(russian, as_csv("mac_cyrillic"))),
    "windows-1251 with English headings": Form(as_csv("cp1251"), refused=NO_DOUBT),
    "koi8-r with English headings": Form(as_csv("koi8-r"), refused=NO_DOUBT),
    "stated as what it is not": Form(
        as_csv("cp1251"), stated={"encoding": "utf-8"}, refused="line 2 of the file is not utf-8"
    ),
    "unknown encoding stated": Form(as_csv(), stated={"encoding": "utf-9"}, refused="encoding is none that is known"),
    "unicode_escape stated": Form(
        as_csv(), stated={"encoding": "unicode_escape"}, refused="encoding is none that is known"
    ),
    "punycode stated": Form(as_csv(), stated={"encoding": "punycode"}, refused="encoding is none that is known"),
    "idna stated": Form(as_csv(), stated={"encoding": "idna"}, refused="encoding is none that is known"),
    "UTF-8 with a cut character": Form(lambda table: as_csv()(table)[:-3], refused="is damaged UTF-8"),
    # separators and lines
    "commas": Form(as_csv(separator=",")),
    "tabs": Form(as_csv(separator="\t")),
    "bars": Form(as_csv(separator="|")),
    "separator named by Excel": Form(as_csv(before="sep=;\r\n")),
    "separator named by Excel in UTF-16": Form(as_csv("utf-16", before="sep=;\r\n")),
    "separator stated": Form(as_csv(separator="|"), stated={"separator": "|"}),
    "separator stated wrongly": Form(
        as_csv(), stated={"separator": ","}, refused="needs at least one|has no column|no column of"
    ),
    "Unix lines": Form(as_csv(end="\n")),
    "old Macintosh lines": Form(as_csv(end="\r")),
    "no line end after the last row": Form(lambda table: as_csv()(table)[:-2]),
    "blank lines between": Form(as_csv(change=lambda lines: [each for line in lines for each in (line, "")])),
    "lines of separators between": Form(
        as_csv(change=lambda lines: [*lines, ";" * lines[0].count(";"), ";" * lines[0].count(";")])
    ),
    "a separator at the end of each line": Form(as_csv(change=lambda lines: [f"{each};" for each in lines])),
    "three separators at the end of each line": Form(as_csv(change=lambda lines: [f"{each};;;" for each in lines])),
    "a separator at the end of rows only": Form(
        as_csv(change=lambda lines: [lines[0], *[f"{each};" for each in lines[1:]]])
    ),
    "everything in quotes": Form(quoted()),
    "everything in quotes, commas": Form(quoted(",")),
    "gzip": Form(zipped(as_csv()), name="guests.csv.gz"),
    "gzip in two parts": Form(
        lambda table: b"".join(gzip.compress(part) for part in _halves(as_csv()(table))), name="guests.csv.gz"
    ),
    "name in capitals": Form(as_csv(), name="GUESTS.CSV"),
    # shape
    "title above the headings": Form(as_csv(before="Список гостей;01.11.2026\r\n\r\n")),
    "headings in a stated row": Form(as_csv(before="x\r\ny\r\n"), stated={"header_row": 3}),
    "headings stated in the wrong row": Form(
        as_csv(), stated={"header_row": 2}, refused="none is named in line 2|no column of"
    ),
    "a wider row": Form(as_csv(change=line(3, lambda text: text + ";lishnee")), rows=[0, 2], bad={3: "more than the"}),
    "a narrower row": Form(as_csv(change=line(3, without_last_separator)), rows=[0, 2], bad={3: "fewer than the"}),
    "last row cut": Form(
        lambda table: as_csv(change=line(4, without_last_separator))(table)[:-2], rows=[0, 1], bad={4: "fewer than"}
    ),
    "a quote never closed": Form(as_csv(change=line(3, _with_quote)), rows=[0, 2], bad={3: "never closed"}),
    "stray quotes in two rows": Form(
        as_csv(change=_swallowed), rows=[0], bad={3: "reaches line 4", 4: "reaches line 4"}
    ),
    "a quote not doubled": Form(
        as_csv(change=line(3, lambda text: f'"{text.partition(";")[0]}"x;{text.partition(";")[2]}')),
        rows=[0, 2],
        bad={3: "neither doubled"},
    ),
    "a column that nothing reads": Form(on_cells(with_column("Комментарий", "да; нет"), as_csv())),
    "text over lines in a column that nothing reads": Form(on_cells(with_column("note", "two\nlines"), as_csv())),
    "a column without a heading": Form(on_cells(with_column("", "x"), as_csv())),
    "an empty column in the middle": Form(on_cells(with_column("", "", 1), as_csv())),
    "headings in capitals and spaces": Form(
        on_cells(heading(lambda text: f" {text.upper().replace('_', ' ')} "), as_csv())
    ),
    "headings with no-break spaces": Form(on_cells(heading(lambda text: text.replace("_", "\u00a0")), as_csv())),
    "Russian headings": Form(on_cells(russian, as_csv())),
    "headings mapped by the form": Form(
        on_cells(with_column("Заведение", ORGANIZATION), as_csv()), stated={"columns": {"Заведение": "organization_id"}}
    ),
    "a known heading left alone by the form": Form(
        on_cells(with_column("organization_id", "Тверская"), as_csv()), stated={"columns": {"organization_id": None}}
    ),
    "mapping of a heading that is not there": Form(
        as_csv(), stated={"columns": {"Факс": "phone"}}, refused="does not have"
    ),
    "mapping to a column that is not there": Form(
        as_csv(), stated={"columns": {"name": "nickname"}}, refused="map to a column that is none"
    ),
    "a column named twice": Form(
        on_cells(with_column("organization_id", ""), on_cells(with_column("organization_id", ""), as_csv())),
        refused="are both organization_id",
    ),
    "a column named in two languages": Form(
        on_cells(with_column("organization_id", ""), on_cells(with_column("ID организации", ""), as_csv())),
        refused="are both organization_id",
    ),
    "a doubled column that nothing reads": Form(
        on_cells(with_column("note", "x"), on_cells(with_column("note", "y"), as_csv()))
    ),
    "headings only": Form(lambda table: as_csv()(table[:1]), rows=[]),
    "nothing": Form(lambda table: b"", refused="must begin with a line of column names"),
    "no headings": Form(lambda table: as_csv()(table[1:]), refused="needs at least one|has no column|no column of"),
    # Excel
    "Excel": Form(excel(), name="guests.xlsx"),
    "Excel with a title": Form(excel(before=[["Список гостей на 01.11.2026"], [None]]), name="guests.xlsx"),
    "Excel with a cover sheet": Form(excel(cover=[["Отчёт"], ["за ноябрь"]]), name="guests.xlsx"),
    "Excel with the table twice": Form(
        excel(second=lambda table: table), name="guests.xlsx", refused="state the sheet"
    ),
    "Excel with the sheet stated": Form(
        excel(second=lambda table: table), name="guests.xlsx", stated={"sheet": "Второй"}
    ),
    "Excel without the stated sheet": Form(
        excel(), name="guests.xlsx", stated={"sheet": "Третий"}, refused="has no sheet of the name"
    ),
    "Excel with a hidden copy": Form(excel(hidden=True), name="guests.xlsx"),
    "Excel with an empty column": Form(excel(change=with_column(None, None)), name="guests.xlsx"),
    "Excel with a value beside the table": Form(
        excel(change=lambda table: [*table[:2], [*table[2], "итого"], *table[3:]]),
        name="guests.xlsx",
        rows=[0, 2],
        bad={3: "to the right"},
    ),
    "Excel with texts as formulas": Form(_constant_formulas, name="guests.xlsx"),
    "Excel with a formula never calculated": Form(
        _with_formula, name="guests.xlsx", rows=[0, 2], bad={3: "formula without its result"}
    ),
    "Excel with a cell far below": Form(_huge_sheet, name="guests.xlsx", refused="empty rows"),
    "Excel with a cell far to the right": Form(_wide_sheet, name="guests.xlsx", refused="more than 500 columns"),
    "Excel named as CSV": Form(excel(), name="guests.csv", refused="is a zip archive"),
    "CSV named as Excel": Form(as_csv(), name="guests.xlsx", refused="not readable as .xlsx"),
    # others
    "Parquet": Form(parquet(), name="guests.parquet"),
    "Parquet with a column that nothing reads": Form(parquet(with_column("note", [1, 2])), name="guests.parquet"),
    "Parquet named as CSV": Form(parquet(), name="guests.csv", refused="is a Parquet file"),
    "CSV named as Parquet": Form(as_csv(), name="guests.parquet", refused="not readable as .parquet"),
    "web page named as CSV": Form(
        lambda table: b"<html><table><tr><td>phone</td></tr></table></html>", refused="is a web page"
    ),
    "old Excel": Form(lambda table: b"\xd0\xcf\x11\xe0" + b"0" * 600, name="guests.xls", refused="must end in one of"),
    "old Excel named as new": Form(
        lambda table: b"\xd0\xcf\x11\xe0" + b"0" * 600, name="guests.xlsx", refused="is an old Excel file"
    ),
    "gzip cut short": Form(lambda table: zipped(as_csv())(table)[:-9], name="guests.csv.gz", refused="cut short"),
    "gzip that is none": Form(as_csv(), name="guests.csv.gz", refused="not readable as .gz"),
    "another ending": Form(as_csv(), name="guests.txt", refused="must end in one of"),
    # values that every import has: a phone or id, a name
    "words for nothing stated": Form(
        on_cells(with_column("middle_name", "NULL", -1), as_csv()), stated={"null_words": ["NULL"]}
    ),
    "texts with invisible characters": Form(
        on_cells(
            lambda table: [table[0], *[[f"\u200b\u00a0{each}\u200b\t" for each in row] for row in table[1:]]], as_csv()
        )
    ),
    "apostrophes before codes": Form(on_cells(lambda table: _codes(table, lambda text: f"'{text}"), as_csv())),
    "codes as Excel writes them to keep zeros": Form(
        on_cells(lambda table: _codes(table, lambda text: f'="{text}"'), as_csv())
    ),
}


def _codes(table: Table, change: Callable[[str], str]) -> Table:
    place = next(place for place, each in enumerate(table[0]) if each in ("phone", "key"))
    return [table[0], *[[change(each) if at == place else each for at, each in enumerate(row)] for row in table[1:]]]


def _halves(content: bytes) -> tuple[bytes, bytes]:
    return content[: len(content) // 2], content[len(content) // 2 :]
