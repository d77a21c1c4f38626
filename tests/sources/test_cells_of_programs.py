"""How programs write a cell or a row of a workbook: in words, in halves of characters, in whole numbers with a point."""

import io
from typing import Any

import pytest

from sources.forms_of_files import ORGANIZATION
from sources.packed_workbooks import row, sheet_of, workbook_of_sheet
from syrve.crm.import_rows import RowReader
from syrve.crm.imports import CrmImport
from syrve.sources.bad_rows import BadRows
from syrve.sources.errors import BadRow
from syrve.sources.excel_book import Book
from syrve.sources.files import FileSource
from syrve.sources.row import Row
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import TaskKey

READER = RowReader(region="RU", organization_id=ORGANIZATION)
PHONE = b"+79755550001"


def values(cells: str) -> list[Any]:
    book = Book(io.BytesIO(workbook_of_sheet(f"<sheetData><row>{cells}</row></sheetData>".encode())))
    return [cell.value for found in book.rows(book.sheets[0]) for cell in found.cells]


def rows(*lines: bytes) -> list[Row]:
    source = FileSource(io.BytesIO(workbook_of_sheet(sheet_of(*lines))), "guests.xlsx")
    return [each for chunk in source.chunks(READER.columns) for each in chunk.rows]


@pytest.mark.parametrize(
    ("written", "value"),
    [("1", True), ("0", False), ("true", True), ("false", False), ("TRUE", True), ("\n 1 ", True), (" false\n", False)],
)
def test_yes_and_no_are_read_as_figures_and_as_words(written: str, value: bool) -> None:
    assert values(f'<c t="b"><v>{written}</v></c>') == [value]


def test_word_that_is_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(ValueError, match="maybe"):
        values('<c t="b"><v>maybe</v></c>')


@pytest.mark.parametrize("kind", ['<c t="str"><v>{}</v></c>', '<c t="inlineStr"><is><t>{}</t></is></c>'])
@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("_xD83D__xDE00_", "\U0001f600"),
        ("a_xd83d__xde00_b", "a\U0001f600b"),
        ("a_xD83D_", "a\ufffd"),
        ("_xDE00__xD83D_", "\ufffd\ufffd"),
        ("_x005F_xD83D_", "_xD83D_"),
    ],
)
def test_halves_of_a_character_are_put_together(kind: str, written: str, text: str) -> None:
    assert values(kind.format(written)) == [text]


def test_half_of_a_character_refuses_its_row() -> None:
    half, whole = rows(row(2, PHONE, b"A_xD800_"), row(3, PHONE, b"A_xD83D__xDE00_"))

    with pytest.raises(BadRow, match="name holds characters that were lost"):
        READER.values(half)
    assert whole.text("name") == "A\U0001f600"


def test_half_of_a_character_stops_no_import(warehouse: Warehouse) -> None:
    sheet = sheet_of(row(2, PHONE, b"A_xD800_"), row(3, PHONE, b"A", b"_xD800_"), row(4, PHONE, b"A"))
    sheet = sheet.replace(b"<t>name</t></is></c>", b'<t>name</t></is></c><c t="inlineStr"><is><t>_xD800_</t></is></c>')
    reading = FileSource(io.BytesIO(workbook_of_sheet(sheet)), "guests.xlsx")

    with BadRows() as bad:
        key = TaskKey("r", "i")
        counts = CrmImport(warehouse, key=key, region="RU", organization_id=ORGANIZATION, bad_rows=bad).run(reading)
        content = b"".join(bad.pieces(reading.facts.headings)).decode()

    assert counts.rejected == 1
    assert "A\ufffd" in content


def test_hidden_row_is_known_though_its_number_has_a_point() -> None:
    hidden = row(7, PHONE, b"A").replace(b'<row r="7"', b'<row r="7.0" hidden="1"')
    shown = row(9, PHONE, b"B").replace(b'<row r="9"', b'<row r="9.0"')

    assert [each.text("name") for each in rows(hidden, shown)] == ["B"]
