"""Small .xlsx files that a careless reader needs hours or gigabytes for. Run as a program it reads each within limits of CPU and memory.

Prints one line per file: its name, and `read`, or why it was refused.
"""

from __future__ import annotations

import io
import resource
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sources.packed_workbooks import row, sheet_of, workbook_of_sheet, workbook_with
from syrve.crm.import_rows import RowReader
from syrve.sources.errors import UnusableSource
from syrve.sources.files import FileSource

CPU_SECONDS = 15
MEMORY_BYTES = 400_000_000
"""More than the program has before it reads the file."""
COLUMNS = RowReader(region="RU", organization_id="5f4e000a-0000-4000-8000-000000000001").columns
PHONE = b"+79755550001"


def rows_of(*cells: bytes, count: int, after: bytes = b"") -> bytes:
    one = b"".join(cells)
    return b"<sheetData>" + (b"<row>" + one + b"</row>") * count + b"</sheetData>" + after


def formula(text: bytes, count: int) -> bytes:
    first = row(2, b"1", formula=b'<f t="shared" ref="A2:B9999" si="0">' + text + b"</f>")
    later = (row(number, b"1", formula=b'<f t="shared" si="0"/>') for number in range(3, count))
    return workbook_of_sheet(sheet_of(first, *later))


def shared(texts: bytes, count: int) -> bytes:
    return workbook_with(texts, sheet1=rows_of(b'<c t="s"><v>0</v></c>' * 2, count=count))


def styles(before: bytes) -> bytes:
    many = b'<xf numFmtId="200" fontId="0"><alignment wrapText="1"/></xf>' * 20_000
    names = b"".join(b'<cellStyle name="a%d" xfId="0"/>' % each for each in range(20_000))
    return workbook_with(
        styles=before + b"<cellXfs>" + many + b"</cellXfs><cellStyles>" + names + b"</cellStyles>",
        sheet1=rows_of(b'<c s="9"><v>79755550001</v></c>', count=10_000),
    )


def formats(count: int, length: int) -> bytes:
    each = b'<numFmt numFmtId="%d" formatCode="' + b'"d"'.replace(b'"', b"&quot;") * length + b'"/>'
    made = b"".join(each % number for number in range(200, 200 + count))
    return styles(b"<numFmts>" + made + b"</numFmts>")


def merged(ranges: bytes) -> bytes:
    more = b"<mergeCells>" + ranges + b"</mergeCells>"
    return workbook_with(sheet1=rows_of(b"<c><v>79755550001</v></c>", count=15_000, after=more))


def with_parts(**more: bytes) -> bytes:
    packed = io.BytesIO(workbook_of_sheet(sheet_of(row(2, PHONE))))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as target:
        for name, content in more.items():
            target.writestr(f"xl/{name}.xml", content)
    return packed.getvalue()


NAMED = b'<definedName name="_xlnm.Print_Area" localSheetId="0">' + b"A$1:" * 200 + b"</definedName>"
RELATIONS: dict[str, Any] = {"workbook.xml.rels": b'<Relationship Id="a" Type="b" Target="c"/>' * 100_000}
BOMBS: dict[str, Callable[[], bytes]] = {
    "long formula in many cells": lambda: formula(b"A2" + b"+A2" * 2_700, 10_000),
    "long text as a formula in many cells": lambda: formula(b'"' + b"x" * 8_000 + b'"', 10_000),
    "huge text in many cells": lambda: shared(b"<si><t>" + b"x" * 98_000 + b"</t></si>", 6_000),
    "million of texts": lambda: shared(b"<si><t>1</t></si>" * 200_000, 1),
    "text of many runs": lambda: shared(b"<si>" + b"<r><rPr><b/></rPr><t>a</t></r>" * 50_000 + b"</si>", 100),
    "text of nested runs": lambda: shared(b"<si>" + b"<r>" * 400_000 + b"</r>" * 400_000 + b"</si>", 1),
    "many styles": lambda: styles(b""),
    "one long format of many styles": lambda: formats(1, 100_000),
    "very many formats": lambda: formats(5_000, 40),
    "merged cells over one another": lambda: merged(
        b"".join(b'<mergeCell ref="A2:SF%d"/>' % each for each in range(100_000, 105_000))
    ),
    "merged cells in every row": lambda: merged(
        b"".join(b'<mergeCell ref="A%d:SF%d"/>' % (each, each) for each in range(2, 15_000))
    ),
    "cell far to the right in every row": lambda: workbook_with(
        sheet1=b"<sheetData>"
        + b"".join(b'<row r="%d"><c><v>79755550001</v></c><c r="ZZZ1"/></row>' % each for each in range(2, 15_002))
        + b"</sheetData>"
    ),
    "defined names": lambda: workbook_with(
        workbook=b"<definedNames>" + NAMED * 20_000 + b"</definedNames>", sheet1=rows_of(b"<c><v>1</v></c>", count=1)
    ),
    "references to parts": lambda: workbook_with(**RELATIONS),
    "elements in elements": lambda: workbook_with(sheet1=b"<a>" * 1_000_000 + b"</a>" * 1_000_000),
    "rows in rows": lambda: workbook_with(sheet1=b"<row>" * 1_000_000 + b"</row>" * 1_000_000),
    "parts that no import needs": lambda: with_parts(
        **dict.fromkeys(("comments1", "drawings/drawing1", "externalLinks/externalLink1"), b"<a/>" * 4_000_000)
    ),
    "many parts of spaces": lambda: with_parts(**{f"media/sheet{each}": b" " * 19_000_000 for each in range(40)}),
}


def read(content: bytes) -> str:
    assert len(content) < 5_000_000
    try:
        for _ in FileSource(io.BytesIO(content), "guests.xlsx").chunks(COLUMNS):
            pass
    except UnusableSource as error:
        return f"refused: {error}"
    return "read"


def used_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    for name, make in BOMBS.items():
        content = make()
        begun, pages = used_seconds(), int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_CPU, (int(begun) + CPU_SECONDS, resource.RLIM_INFINITY))
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        print(f"{name}: {read(content)}", flush=True)
        print(f"{name}: {len(content):,} B, {used_seconds() - begun:.1f} s", file=sys.stderr, flush=True)
        for kind in (resource.RLIMIT_CPU, resource.RLIMIT_AS):
            resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
