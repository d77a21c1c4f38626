"""Large files take no more memory than small ones; what unpacks to anything is refused before it does."""

import gzip
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from openpyxl.utils import get_column_letter

from sources.packed_workbooks import row, sheet_of, workbook_of_sheet, workbook_with
from syrve.customers.identities import COLUMNS
from syrve.sources.errors import BadRow, UnusableSource
from syrve.sources.excel_book import Book
from syrve.sources.files import FileSource
from syrve.sources.limits import Limits

REPOSITORY = Path(__file__).parents[2]
READ_A_MILLION = """
import resource, sys
from syrve.customers.identities import COLUMNS
from syrve.sources.files import FileSource

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

class Lines:
    def __init__(self, rows):
        self.lines = (f"+7916{n:07d};Имя {n};name{n}@example.com\\n".encode() for n in range(rows))
        self.rest = "phone;name;email\\n".encode()
    def read(self, size):
        while len(self.rest) < size:
            some = b"".join(line for _, line in zip(range(10000), self.lines))
            if not some:
                break
            self.rest += some
        piece, self.rest = self.rest[:size], self.rest[size:]
        return piece

def take(rows):
    return sum(len(chunk.rows) for chunk in FileSource(Lines(rows), "guests.csv").chunks(COLUMNS))

take(20_000)
before = peak()
assert take(1_000_000) == 1_000_000
print(peak() - before)
"""


def all_rows(content: bytes) -> list[Any]:
    book = Book(io.BytesIO(content))
    return [each for sheet in book.sheets for each in book.rows(sheet)]


OUTCOMES_OF_BOMBS = {
    "long formula in many cells": "read",
    "long text as a formula in many cells": "read",
    "huge text in many cells": "refused: the cells hold more than 1,000,000,000 characters in all; divide the source",
    "million of texts": "read",
    "text of many runs": "read",
    "text of nested runs": "refused: the file unpacks to more than a spreadsheet may hold; save the table as .csv",
    "many styles": "read",
    "one long format of many styles": "read",
    "very many formats": "refused: the file has more than 2,000 number formats; save the table as .csv",
    "merged cells over one another": "refused: merged cells of the sheet overlap; save it in a spreadsheet",
    "merged cells in every row": "read",
    "cell far to the right in every row": "read",
    "defined names": "read",
    "references to parts": "read",
    "elements in elements": "refused: the file unpacks to more than a spreadsheet may hold; save the table as .csv",
    "rows in rows": "refused: the file unpacks to more than a spreadsheet may hold; save the table as .csv",
    "parts that no import needs": "refused: the file unpacks to more than a spreadsheet may hold; save the table as .csv",
    "many parts of spaces": "refused: the file unpacks to more than a spreadsheet may hold; save the table as .csv",
}


def refused(content: bytes, name: str, limits: Limits | None = None) -> str:
    with pytest.raises(UnusableSource) as caught:
        for _ in FileSource(io.BytesIO(content), name, limits=limits or Limits()).chunks(COLUMNS):
            pass
    return str(caught.value)


@pytest.mark.slow
def test_million_rows_of_csv_take_no_more_memory_than_few() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_A_MILLION], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 100, "megabytes"


def test_gzip_that_unpacks_to_gigabytes_is_refused_early() -> None:
    small = io.BytesIO()
    with gzip.GzipFile(fileobj=small, mode="wb") as file:
        for _ in range(300):
            file.write(b"phone\n" + b"0" * 1_000_000)

    assert "unpacks to more than 200 times its size" in refused(small.getvalue(), "guests.csv.gz")


def test_file_over_the_limit_is_refused() -> None:
    limits = Limits(max_bytes=1_000_000)
    assert "larger than 1 MB" in refused(b"phone\n" + b"1\n" * 1_000_000, "guests.csv", limits)
    assert "larger than 1 MB" in refused(gzip.compress(b"phone\n" + b"17\n" * 1_000_000, 1), "guests.csv.gz", limits)


def test_rows_columns_and_lines_over_the_limit_are_refused() -> None:
    assert "more than 20,000 rows" in refused(b"phone\n" + b"1\n" * 40_000, "a.csv", Limits(max_rows=20_000))
    assert "more than 500 columns" in refused((";".join(["phone", *map(str, range(600))]) + "\n1\n").encode(), "a.csv")
    assert "line 2 of the file is longer" in refused(b"phone\n" + b"1" * 1_000_001 + b"\n", "a.csv")


def test_source_that_takes_too_long_is_refused() -> None:
    assert "took longer than" in refused(b"phone\n" + b"1\n" * 100, "a.csv", Limits(max_seconds=-1))


def test_zip_bomb_named_as_excel_is_refused_unread() -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["phone"])
    plain = io.BytesIO()
    book.save(plain)
    bomb = io.BytesIO()
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            content = source.read(part)
            target.writestr(part, content + b" " * 60_000_000 if "worksheets" in part else content)

    assert "unpacks to more than a spreadsheet may hold" in refused(bomb.getvalue(), "guests.xlsx")


@pytest.mark.timeout(60)
def test_many_sheets_of_one_part_are_refused() -> None:
    content = workbook_with()
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = source.read(name)
            if name == "xl/workbook.xml":
                begin, sheet, end = re.split(rb"(<sheet [^>]*/>)", part)
                part = begin + b"".join(sheet.replace(b'"Sheet"', b'"s%d"' % each) for each in range(3_000)) + end
            if name == "xl/worksheets/sheet1.xml":
                part = re.sub(
                    rb"<sheetData>.*</sheetData>", b"<sheetData>" + b"<row/>" * 19_000 + b"</sheetData>", part
                )
            target.writestr(name, part)

    assert "share one part" in refused(packed.getvalue(), "guests.xlsx")


def test_small_xlsx_takes_bounded_time_and_memory() -> None:
    """Each of them has seconds of the processor, by which the program would be ended, and some hundred megabytes."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("bombs.py")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, f"ended by the limit after: {done.stdout}{done.stderr}"
    outcomes = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert outcomes == OUTCOMES_OF_BOMBS


@pytest.mark.timeout(60)
def test_long_number_format_is_not_read_for_each_cell() -> None:
    styles = b'<numFmts count="1"><numFmt numFmtId="200" formatCode="' + b"0" * 500_000 + b'"/></numFmts>'
    content = workbook_of_sheet(sheet_of(*(row(number, b"79160000001") for number in range(2, 2_000))), styles)

    [chunk] = FileSource(io.BytesIO(content), "guests.xlsx").chunks(COLUMNS)

    assert len(chunk.rows) == 1_998
    with pytest.raises(BadRow, match="shown otherwise than it is stored"):
        chunk.rows[0].code("phone")


@pytest.mark.parametrize(
    "parts",
    [
        {"sheet1": b"<a/>" * 600_000},
        {"sheet1": b"<sheetData><row><!--<row>-->" + b"<c/>" * 600_000 + b"</row></sheetData>"},
        {"sheet1": b"<sheetData>" + (b"<row/>" + b"<a/>" * 20_000) * 30 + b"</sheetData>"},
        {"sheet1": b"<a " + b" ".join(b'a%d=""' % each for each in range(600_000)) + b"/>"},
        {"sheet1": b"<a b='" + b"x" * 5_000_000 + b"'/>"},
        {"styles": b"<xf/>" * 500_000},
        {"texts": b"<si/>" * 6_100_000},
    ],
    ids=["beside", "row", "between", "attributes", "text", "styles", "strings"],
)
def test_small_xlsx_that_needs_much_memory_is_refused(parts: dict[str, Any]) -> None:
    content = workbook_with(**parts)
    assert len(content) < 3_000_000

    assert "unpacks to more than a spreadsheet may hold" in refused(content, "guests.xlsx")
    with pytest.raises(UnusableSource, match="unpacks to more"):
        all_rows(content)


def test_texts_of_sheets_are_bounded_under_any_name() -> None:
    content = workbook_with(b"<si><t>00</t></si>" * 2_500_000, "sheetStrings")

    assert "unpacks to more than a spreadsheet may hold" in refused(content, "guests.xlsx", Limits(max_ratio=100_000))


def test_wide_row_and_many_merged_cells_are_read() -> None:
    cells = b"".join(b'<c r="%s2" s="0"/>' % get_column_letter(each).encode() for each in range(1, 16_385))
    rows = b'<sheetData><row r="2">' + cells + b"</row></sheetData>"
    content = workbook_with(sheet1=b"<mergeCells>" + b'<mergeCell ref="A9:B9"/>' * 100_000 + b"</mergeCells>" + rows)

    assert [row for chunk in FileSource(io.BytesIO(content), "guests.xlsx").chunks(COLUMNS) for row in chunk.rows] == []


def test_sheet_that_claims_all_rows_and_columns_is_read_by_its_cells() -> None:
    book = openpyxl.Workbook()
    for value in ("phone", "+79161234567"):
        book.worksheets[0].append([value])
    plain = io.BytesIO()
    book.save(plain)
    claiming = io.BytesIO()
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(claiming, "w") as target:
        for part in source.namelist():
            target.writestr(part, source.read(part).replace(b'ref="A1:A2"', b'ref="A1:XFD1048576"'))

    [chunk] = FileSource(io.BytesIO(claiming.getvalue()), "guests.xlsx").chunks(COLUMNS)
    assert [row.code("phone") for row in chunk.rows] == ["+79161234567"]


def test_parquet_of_one_long_text_many_times_is_refused() -> None:
    content = io.BytesIO()
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 5_000, pyarrow.int32()), ["7" * 1_000_000])
    table = pyarrow.table({"phone": column})
    pyarrow.parquet.write_table(table, content)
    assert len(content.getvalue()) < 2_000_000

    assert "a cell of the file is longer than 100,000 characters" in refused(content.getvalue(), "guests.parquet")


def parquet(column: pyarrow.Array) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"phone": column, "note": column}), file, compression="zstd")
    return file.getvalue()


def test_parquet_of_lists_is_refused_before_it_unpacks() -> None:
    lists = pyarrow.array([["x" * 95_000] * 20] * 300, pyarrow.list_(pyarrow.string()))
    wide = pyarrow.array([b"x" * 100_000] * 300, pyarrow.binary(100_000))

    for column in (lists, wide, pyarrow.array([{"a": 1}])):
        assert "column 1 of the file is a list, a map or another type" in refused(parquet(column), "guests.parquet")


def test_parquet_of_long_texts_comes_in_small_chunks() -> None:
    content = parquet(pyarrow.array(["x" * 90_000] * 1_000))

    chunks = [len(chunk.rows) for chunk in FileSource(io.BytesIO(content), "guests.parquet").chunks(COLUMNS)]

    assert sum(chunks) == 1_000
    assert max(chunks) < 200


def test_long_lines_of_csv_come_in_small_chunks() -> None:
    content = b"phone,note\n" + (b"1," + b"x" * 90_000 + b"\n") * 400

    chunks = [len(chunk.rows) for chunk in FileSource(io.BytesIO(content), "guests.csv").chunks(COLUMNS)]

    assert sum(chunks) == 400
    assert max(chunks) < 200
    assert "a cell of line 2 is longer than 100,000" in refused(
        b"phone,note\n1," + b"x" * 100_001 + b"\n", "guests.csv"
    )


def workbook_of_entities() -> bytes:
    book, content, packed = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    book.worksheets[0].append(["phone"])
    book.save(content)
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                rows = b'<row r="3"><c r="A3" t="inlineStr"><is><t>&a;</t></is></c></row></sheetData>'
                begin = b'<?xml version="1.0"?><!DOCTYPE worksheet [<!ENTITY a "+79750000001">]>'
                part = begin + part.split(b"?>", 1)[-1].replace(b"</sheetData>", rows)
            target.writestr(name, part)
    return packed.getvalue()


def test_entities_of_xlsx_are_refused() -> None:
    assert "not readable as .xlsx (it declares a document type)" in refused(workbook_of_entities(), "guests.xlsx")
