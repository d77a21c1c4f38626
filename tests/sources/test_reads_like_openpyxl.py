"""The reader of .xlsx gives the values and formats of cells that openpyxl gives, but where it differs on purpose.

It differs in texts alone: characters that the format escapes (`_x000D_`) are read as they were typed, while openpyxl leaves them, and
takes `x005F_` away from shared texts. What it refuses and openpyxl reads is in `test_what_is_refused_on_purpose`, and a part with a
document type; what it reads and openpyxl refuses is in test_packages_of_programs.py and test_cells_of_programs.py.
"""

import io
import re
import warnings
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

from sources.packed_workbooks import STRINGS, workbook_of_sheet
from syrve.sources.errors import UnusableSource
from syrve.sources.excel_book import Book
from syrve.sources.excel_strings import as_typed

Cells = dict[tuple[str, int, int], tuple[Any, str]]
"""Values and number formats by sheet, row and column."""

FORMATS = [
    *("General", "0", "0.00", "@", "mm-dd-yy", "h:mm", "m/d/yy h:mm", "mm:ss", "[h]:mm:ss", "mmss.0"),
    *("[$-419]dd.mm.yyyy;@", "dd/mm/yyyy", "[Red]0.0;[Blue]-0.0", "[>100]0;0.00", '"d"0', "yyyy\\-mm\\-dd", "[mm]:ss"),
    *("[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", '#,##0.00\\ "р."', "_-* #,##0\\ [$₽-419]_-", "0\\d", "d;@;0"),
]
_SIGNS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
_TEXTS = st.one_of(
    st.text(_SIGNS, max_size=12),
    st.sampled_from(
        [
            "",
            " a ",
            "a\nb\tc",
            "\U0001f600",
            "_x000D_",
            "_x005F_x000D_",
            "_xD83D__xDE00_",
            "_x",
            "<&>",
            "'=1",
            "#N/A",
            "1",
        ]
    ),
)
_NUMBERS = st.one_of(
    st.integers(-(10**17), 10**17),
    st.sampled_from([0, 1, 59, 60, 61, -1, 59.5, 0.5, 0.99999999999, 60.25, 2958465, 2958466, 1e10, 36526.75]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 60_000),
)
_DAYS = st.dates(date(1904, 1, 2), date(2100, 1, 1))
_TIMES = st.one_of(
    _DAYS,
    st.datetimes(datetime.fromisoformat("1904-01-02"), datetime.fromisoformat("2100-01-01")),
    st.times(),
    st.timedeltas(timedelta(0), timedelta(days=500)),
    st.sampled_from([time(0), time(23, 59, 59, 999_999), datetime.fromisoformat("2000-02-29T23:59:59.999999")]),
)
_CELLS = st.one_of(
    st.none(), _TEXTS, _NUMBERS, st.booleans(), _TIMES, st.sampled_from(["=1+1", '="x"', "=A1", "#REF!", "#DIV/0!"])
)
_TABLES = st.lists(
    st.lists(st.tuples(_CELLS, st.none() | st.sampled_from(FORMATS)), max_size=5), min_size=1, max_size=6
)


def written(tables: dict[str, Any], *, is_1904: bool) -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    book.epoch = CALENDAR_MAC_1904 if is_1904 else CALENDAR_WINDOWS_1900
    book.remove(book.worksheets[0])
    for title, table in tables.items():
        sheet = book.create_sheet(title)
        for row, cells in enumerate(table, start=1):
            for column, (value, number_format) in enumerate(cells, start=1):
                cell = sheet.cell(row, column, value)
                cell.number_format = number_format or cell.number_format
    book.save(content)
    return content.getvalue()


def shared(content: bytes) -> bytes:
    """The workbook with its texts in a part of their own, as Excel writes them."""
    texts: list[bytes] = []

    def moved(found: re.Match[bytes]) -> bytes:
        texts.append(b"<si>" + found[2] + b"</si>")
        return found[1].replace(b'"inlineStr"', b'"s"') + b"<v>%d</v></c>" % (len(texts) - 1)

    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            if "worksheets/" in name:
                part = re.sub(rb"(<c [^>]*>)<is>(.*?)</is></c>", moved, part, flags=re.DOTALL)
            if name.startswith("[") and STRINGS not in part:
                override = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/></Types>' % STRINGS
                part = part.replace(b"</Types>", override)
            if name != "xl/sharedStrings.xml":
                target.writestr(name, part)
        space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        target.writestr("xl/sharedStrings.xml", b"<sst " + space + b">" + b"".join(texts) + b"</sst>")
    return changed.getvalue()


def by_us(content: bytes) -> Cells:
    book = Book(io.BytesIO(content))
    return {
        (sheet.title, row.number, cell.place + 1): (cell.value, cell.format.code)
        for sheet in book.sheets
        for row in book.rows(sheet)
        for cell in row.cells
        if cell.value is not None
    }


def by_openpyxl(content: bytes) -> Cells:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dates that are none
        book = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
    return {
        (sheet.title, cell.row, cell.column): (cell.value, cell.number_format)
        for sheet in book.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if cell.value is not None
    }


def exact(cells: Cells, *, is_typed: bool) -> dict[tuple[str, int, int], str]:
    """Cells so that 1, 1.0 and True are three values; texts as they were typed, unless they are so already."""
    return {
        place: repr((as_typed(value) if isinstance(value, str) and not is_typed else value, code))
        for place, (value, code) in cells.items()
    }


@settings(max_examples=50)
@given(_TABLES, _TABLES, st.booleans())
def test_cells_are_those_that_openpyxl_reads(first: Any, second: Any, is_1904: bool) -> None:
    content = written({"Гости": first, "2": second}, is_1904=is_1904)
    theirs = by_openpyxl(content)

    assert exact(by_us(content), is_typed=True) == exact(theirs, is_typed=False)
    assert exact(by_us(shared(content)), is_typed=True) == exact(theirs, is_typed=False)


CELLS = {
    "dates": '<c t="d"><v>2020-05-01</v></c><c t="d"><v>2020-05-01T10:11:12.5Z</v></c><c t="d"><v>10:11</v></c>',
    "results": '<c t="str"><v>a</v></c><c t="str"><f>A1</f><v> b </v></c><c t="b"><f>A1</f><v>1</v></c><c t="e"><v>#N/A</v></c>',
    "nothing": '<c/><c t="n"><v/></c><c t="str"><f>A1</f><v></v></c><c t="inlineStr"/><c t="inlineStr"><is/></c><c><f>A1</f></c>',
    "numbers": "<c><v>+7</v></c><c><v> 8 </v></c><c><v>1E-3</v></c><c><v>1.5e+5</v></c><c><v>-0</v></c><c><v>1e400</v></c>",
    "rich": '<c t="inlineStr"><is><t>a</t><r><t> b</t></r><r><rPr><b/></rPr><t>c</t></r><rPh sb="0" eb="1"><t>k</t></rPh></is></c>',
    "marked": '<c t="str"><v>x<![CDATA[<&>]]>y</v></c><c><v>1<!-- 9 -->2</v></c><c t="str"><v>a<?p i?>b</v></c>',
    "formulas": '<c><f t="shared" ref="A1:B1" si="0">1</f><v>2</v></c><c><f t="shared" si="0"/><v>3</v></c>'
    '<c><f t="array" ref="C1">1</f><v>4</v></c>',
    "places": '<c r="C1"><v>1</v></c><c><v>2</v></c><c r="b1"><v>3</v></c><c r="C1"><v>4</v></c>',
    "of others": "<c><v>5</v></c></row></sheetData>"
    '<extLst><ext uri="u" xmlns:x="urn:x"><x:row><x:c><x:v>9</x:v></x:c></x:row></ext></extLst>'
    "<sheetData><row><c><v>6</v></c>",
}


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_cells_of_other_programs_are_those_of_openpyxl(cells: str) -> None:
    content = workbook_of_sheet(f"<sheetData><row>{cells}</row></sheetData>".encode())

    assert exact(by_us(content), is_typed=True) == exact(by_openpyxl(content), is_typed=False)


ORDER, NUMBER = "rows of the sheet are not in their order", "a row of the sheet states no number"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ('<row r="3"><c><v>1</v></c></row><row r="1"><c><v>2</v></c></row>', ORDER),
        ('<row r="1"><c><v>1</v></c></row><row r="1"><c r="B1"><v>2</v></c></row>', ORDER),
        ('<row><c r="A1"><v>1</v></c></row><row><c r="A5"><v>2</v></c></row>', NUMBER),
    ],
    ids=["order", "twice", "number"],
)
def test_what_is_refused_on_purpose(rows: str, reason: str) -> None:
    """No spreadsheet writes them; to put rows in order takes all of them in memory, and hidden rows go by their numbers."""
    content = workbook_of_sheet(f"<sheetData>{rows}</sheetData>".encode())

    assert len(by_openpyxl(content)) == 2
    with pytest.raises(UnusableSource, match=reason):
        by_us(content)


def test_rows_without_numbers_are_read_if_their_cells_agree() -> None:
    rows = '<row><c r="A1"><v>1</v></c></row><row><c r="A2"><v>2</v></c><c><v>3</v></c></row>'
    content = workbook_of_sheet(f"<sheetData>{rows}</sheetData>".encode())

    assert by_us(content) == by_openpyxl(content)
