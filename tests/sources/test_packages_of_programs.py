"""How programs pack a workbook: names of parts, relations and cells as 1C, old .NET tools and others write them, and Excel reads them."""

import io
import re
import zipfile
from collections.abc import Callable

import pytest

from sources.packed_workbooks import workbook_of_sheet
from syrve.sources.excel_book import Book

WORKBOOK, RELATIONS, TYPES = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TEXT = '<c t="s"><v>0</v></c>'
FORMATS = b'<numFmts count="1"><numFmt numFmtId="200" formatCode="0000"/></numFmts>'


def packed(
    cells: str = TEXT, rename: Callable[[str], str] = str, drop: str = "", **changes: tuple[str, str, str]
) -> bytes:
    """A workbook with a row of cells, whose parts are renamed, left out, or changed: part, expression, what stands for it."""
    sheet, changed = f"<sheetData><row>{cells}</row></sheetData>".encode(), io.BytesIO()
    content = workbook_of_sheet(sheet, FORMATS, "<si><t>Анна</t></si>".encode())
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            part = source.read(name).decode()
            for of_part, pattern, other in changes.values():
                if of_part == name:
                    part, count = re.subn(pattern, other.replace("\\", r"\\"), part)
                    assert count, f"{pattern} is not in {name}"
            if name != drop:
                target.writestr(rename(name), part)
    return changed.getvalue()


def relation(target: str, kind: str = "worksheet") -> str:
    return f'<Relationship Id="x" Type="{KINDS}/{kind}" Target="{target}"/></Relationships>'


def values(content: bytes) -> list[list[object]]:
    book = Book(io.BytesIO(content))
    return [[cell.value for cell in row.cells] for sheet in book.sheets for row in book.rows(sheet)]


def formats(content: bytes) -> set[str]:
    book = Book(io.BytesIO(content))
    return {cell.format.code for row in book.rows(book.sheets[0]) for cell in row.cells}


def capital(name: str) -> str:
    folder, slash, own_name = name.rpartition("/")
    return folder + slash + own_name[0].upper() + own_name[1:]


@pytest.mark.parametrize(
    "rename",
    [
        capital,
        str.upper,
        lambda name: name.replace("sharedStrings", "SharedStrings"),
        lambda name: name.replace("/", "\\"),
        lambda name: name if name.startswith("[") else f"/{name}",
    ],
    ids=["capitals", "upper", "1C", "backslashes", "slash"],
)
def test_parts_are_found_however_their_names_are_spelled(rename: Callable[[str], str]) -> None:
    content = packed('<c s="1"><v>7</v></c>' + TEXT, rename)

    assert values(content) == [[7, "Анна"]]
    assert formats(content) == {"0000", "General"}


@pytest.mark.parametrize("target", [r"worksheets\sheet1.xml", r"\xl\worksheets\sheet1.xml", "./worksheets/Sheet1.xml"])
def test_targets_are_found_however_they_are_spelled(target: str) -> None:
    content = packed(relation=(RELATIONS, "/xl/worksheets/sheet1.xml", target))

    assert values(content) == [["Анна"]]


def test_shared_texts_are_found_by_the_relation_alone() -> None:
    content = packed(
        types=(TYPES, '<Override PartName="/xl/sharedStrings[^>]*>', ""),
        relation=(RELATIONS, "</Relationships>", relation("sharedStrings.xml", "sharedStrings")),
    )

    assert values(content) == [["Анна"]]


def test_declared_texts_that_are_not_there_harm_no_numbers() -> None:
    assert values(packed("<c><v>2.5</v></c>", drop="xl/sharedStrings.xml")) == [[2.5]]


def test_texts_that_are_not_there_are_no_empty_cells() -> None:
    with pytest.raises(LookupError):
        values(packed(drop="xl/sharedStrings.xml"))


@pytest.mark.parametrize("attribute", ["", ' r:id=""', ' r:id="rId77"'])
def test_sheet_that_leads_nowhere_harms_no_other(attribute: str) -> None:
    other = f'<sheet xmlns:r="{KINDS}" name="Module1" sheetId="9"{attribute}/></sheets>'

    assert values(packed(sheets=(WORKBOOK, "</sheets>", other))) == [["Анна"]]


def test_relation_without_a_target_harms_no_other() -> None:
    content = packed(relation=(RELATIONS, "</Relationships>", '<Relationship Id="x"/></Relationships>'))

    assert values(content) == [["Анна"]]


def test_one_sheet_under_two_spellings_is_one_part() -> None:
    """Else each name of it would be read again."""
    content = packed(
        sheets=(WORKBOOK, "</sheets>", f'<sheet xmlns:r="{KINDS}" name="Other" sheetId="9" r:id="x"/></sheets>'),
        relation=(RELATIONS, "</Relationships>", relation("WORKSHEETS/sheet1.xml")),
    )

    with pytest.raises(ValueError, match="share one part"):
        values(content)
