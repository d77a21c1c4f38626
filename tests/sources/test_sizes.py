"""Large files take no more memory than small ones; what unpacks to anything is refused before it does."""

import gzip
import io
import re
import subprocess
import sys
import zipfile
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from openpyxl.utils import get_column_letter

from syrve.customers.identities import COLUMNS
from syrve.sources.errors import BadRow, UnusableSource
from syrve.sources.excel import open_workbook
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


STRINGS = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def workbook_with(texts: bytes = b"", texts_name: str = "sharedStrings", **parts: bytes) -> bytes:
    """A workbook with a heading, whose parts end in what is given before their last tag, and with a list of texts."""
    book, content, packed = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    book.worksheets[0].append(["phone"])
    book.save(content)
    parts["[Content_Types]"] = b'<Override PartName="/xl/%s.xml" ContentType="%s"/>' % (texts_name.encode(), STRINGS)
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            begin, slash, end = source.read(name).rpartition(b"</")
            more = next((text for part, text in parts.items() if f"{part}.xml" in name), b"")
            target.writestr(name, begin + more + slash + end)
        space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        target.writestr(f"xl/{texts_name}.xml", b"<sst " + space + b">" + texts + b"</sst>")
    return packed.getvalue()


def workbook_of_sheet(sheet: bytes, formats: bytes = b"") -> bytes:
    """A workbook with the rows of a sheet, whose cells of style 1 have the last of these number formats."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook_with())) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            part = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = re.sub(rb"<sheetData>.*</sheetData>", lambda _: sheet, part, flags=re.DOTALL)
            if name == "xl/styles.xml":
                part = re.sub(rb"<numFmts[^>]*/>", formats, part)
                style = b'<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="%d"/></cellXfs>' % (200 if formats else 0)
                part = re.sub(rb"<cellXfs.*</cellXfs>", style, part, flags=re.DOTALL)
            target.writestr(name, part)
    return packed.getvalue()


def row(number: int, *cells: bytes, formula: bytes = b"") -> bytes:
    """A row of texts, or of numbers that are the results of a formula."""
    return b'<row r="%d">%s</row>' % (
        number,
        b"".join(
            b'<c r="%s%d" s="1">%s<v>%s</v></c>' % (get_column_letter(place).encode(), number, formula, cell)
            if cell.isdigit()
            else b'<c r="%s%d" t="inlineStr"><is><t>%s</t></is></c>' % (get_column_letter(place).encode(), number, cell)
            for place, cell in enumerate(cells, start=1)
        ),
    )


def sheet_of(*rows: bytes) -> bytes:
    return b"<sheetData>" + row(1, b"phone", b"name") + b"".join(rows) + b"</sheetData>"


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


@pytest.mark.timeout(60)
def test_long_formula_that_many_cells_repeat_is_refused() -> None:
    first = row(2, b"1", formula=b'<f t="shared" ref="A2:B9999" si="0">A2' + b"+A2" * 30_000 + b"</f>")
    rows = [row(number, b"1", b"1", formula=b'<f t="shared" si="0"/>') for number in range(3, 1_000)]
    content = workbook_of_sheet(sheet_of(first, *rows))

    assert "repeats long formulas" in refused(content, "guests.xlsx")


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
        open_workbook(io.BytesIO(content)).worksheets[0].reset_dimensions()


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
    table = pyarrow.table({"phone": pyarrow.array(["7" * 1_000_000] * 5_000).dictionary_encode()})
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


def test_entities_of_xlsx_are_refused_and_so_is_reading_it_without(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not readable as .xlsx (" in refused(workbook_of_entities(), "guests.xlsx")

    monkeypatch.setattr(openpyxl, "DEFUSEDXML", False)
    assert "no .xlsx is read without defusedxml" in refused(workbook_of_entities(), "guests.xlsx")


def test_product_names_what_keeps_xlsx_from_unpacking() -> None:
    assert any(each.startswith("defusedxml") for each in requires("airflow-provider-syrve") or [])
