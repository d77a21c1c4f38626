"""Workbooks that are put together from parts, as no program writes them."""

from __future__ import annotations

import io
import re
import zipfile

import openpyxl
from openpyxl.utils import get_column_letter

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
            own_name = name.rpartition("/")[2].removesuffix(".xml")
            more = parts.get(own_name, b"")
            target.writestr(name, begin + more + slash + end)
        space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        target.writestr(f"xl/{texts_name}.xml", b"<sst " + space + b">" + texts + b"</sst>")
    return packed.getvalue()


def workbook_of_sheet(sheet: bytes, formats: bytes = b"", texts: bytes = b"") -> bytes:
    """A workbook with the rows of a sheet, whose cells of style 1 have the last of these number formats, and with a list of texts."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook_with(texts))) as source,
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
