"""Rows that a sheet hides, cells under a merged one, formulas whose result is an empty text, and characters that the format escapes."""

import io
import re
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest

from sources.packed_workbooks import row as packed_row
from sources.packed_workbooks import sheet_of, workbook_of_sheet, workbook_with
from sources.test_files_of_programs import PHONE, READER, workbook
from sources.written_files import Table
from syrve.crm.import_rows import RowReader
from syrve.sources.errors import BadRow, UnusableSource
from syrve.sources.excel_book import Book
from syrve.sources.files import FileSource
from syrve.sources.source import Chunk

OTHER = "+79755550002"


def chunk(content: bytes) -> Chunk:
    [found] = FileSource(io.BytesIO(content), "guests.xlsx").chunks(READER.columns)
    return found


def sheet_with(change: Callable[[Any], None], *table: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in table:
        book.worksheets[0].append(row)
    change(book.worksheets[0])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def hide(*rows: int) -> Callable[[Any], None]:
    def change(sheet: Any) -> None:
        for row in rows:
            sheet.row_dimensions[row].hidden = True

    return change


def merge(*ranges: str) -> Callable[[Any], None]:
    def change(sheet: Any) -> None:
        for each in ranges:
            sheet.merge_cells(each)

    return change


def test_hidden_row_is_a_reject_and_the_others_land() -> None:
    content = sheet_with(hide(3), ["phone", "name"], [PHONE, "Анна"], [OTHER, "Борис"], [PHONE, "Вера"])

    found = chunk(content)

    assert [row.text("name") for row in found.rows] == ["Анна", "Вера"]
    assert [(each.line, each.reason.partition(",")[0]) for each in found.bad] == [(3, "the row is hidden in the sheet")]
    assert list(found.bad[0].cells) == [OTHER, "Борис"]


def test_hidden_rows_without_a_value_and_headings_are_no_rejects() -> None:
    content = sheet_with(hide(1, 3), ["phone", "name"], [PHONE, "Анна"], [None, None], [OTHER, "Борис"])

    found = chunk(content)

    assert [row.text("name") for row in found.rows] == ["Анна", "Борис"]
    assert found.bad == []


def test_value_of_a_merged_cell_is_not_lost_on_the_other_rows() -> None:
    """Else the second card would be added, though a person sees that it is to be taken away as well."""
    table: Table = [["phone", "card_track", "wanted"], [PHONE, "01", "нет"], [OTHER, "02", None], [OTHER, "03", "нет"]]

    first, second, third = chunk(sheet_with(merge("C2:C3"), *table)).rows

    assert (first.flag("wanted"), third.flag("wanted")) == (False, False)
    with pytest.raises(BadRow, match="wanted is under a merged cell"):
        READER.values(second)


def test_merged_cells_beside_what_is_read_do_no_harm() -> None:
    table: Table = [
        ["Список", None, None],
        ["phone", "name", "Заметка"],
        [PHONE, "Анна", "VIP"],
        [OTHER, "Борис", None],
    ]

    rows = chunk(sheet_with(merge("A1:C1", "C3:C4"), *table)).rows

    assert [RowReader.values(READER, row)[3:5] for row in rows] == [(PHONE, "Анна"), (OTHER, "Борис")]


def test_row_that_two_rows_of_a_sheet_make_is_read_once() -> None:
    table: Table = [["phone", "name"], [PHONE, "Анна"], [None, None], [OTHER, "Борис"]]

    found = chunk(sheet_with(merge("A2:A3", "B2:B3"), *table))

    assert [row.text("name") for row in found.rows] == ["Анна", "Борис"]
    assert found.bad == []


def test_cells_merged_across_are_rejected_where_they_are_read() -> None:
    table: Table = [["phone", "name", "surname"], [PHONE, "Анна Ли", None]]

    [row] = chunk(sheet_with(merge("B2:C2"), *table)).rows

    with pytest.raises(BadRow, match="surname is under a merged cell"):
        READER.values(row)


def test_merged_cells_that_overlap_by_thousands_are_refused() -> None:
    ranges = b"".join(b'<mergeCell ref="A2:A%d"/>' % number for number in range(3, 21_000))
    content = workbook(
        ["phone"],
        [PHONE],
        change=lambda part: part.replace(b"</sheetData>", b"</sheetData><mergeCells>" + ranges + b"</mergeCells>"),
    )

    with pytest.raises(UnusableSource, match="merged cells of the sheet overlap"):
        chunk(content)


def test_formula_with_an_empty_text_as_its_result_is_an_empty_cell() -> None:
    empty = b'<c r="B2" t="str"><f>IF(C2="","",C2)</f><v></v></c>'
    changed: list[int] = []

    def with_formula(part: bytes) -> bytes:
        made, count = re.subn(rb'<c r="B2"[^>]*>.*?</c>', empty, part)
        changed.append(count)
        return made

    content = workbook(["phone", "email", "name"], [PHONE, "x", "Анна"], change=with_formula)
    assert sum(changed) == 1

    [row] = chunk(content).rows

    assert READER.values(row)[4:8] == ("Анна", None, None, None)


ESCAPED = b"_x005F_x0041_ A_x000D_B"
READ = "_x0041_ A\rB"


def test_escaped_characters_of_shared_texts_are_read_once() -> None:
    book = Book(io.BytesIO(workbook_with(b"<si><t>" + ESCAPED + b"</t></si>")))

    assert book.strings == [READ]


def test_escaped_characters_of_inline_texts_are_read_once() -> None:
    book = Book(io.BytesIO(workbook_of_sheet(sheet_of(packed_row(2, ESCAPED)))))

    _, found = book.rows(book.sheets[0])

    assert [cell.value for cell in found.cells] == [READ]
