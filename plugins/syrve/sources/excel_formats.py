"""The number formats of an .xlsx by the number of a cell's style, and which of them are dates; nothing else of its styles is kept."""

from __future__ import annotations

from typing import NamedTuple

from syrve.sources.errors import UnusableSource
from syrve.sources.excel_xml import Archive
from syrve.sources.number_format import LONGEST

_MOST = 2_000
MANY_FORMATS = f"the file has more than {_MOST:,} number formats; save the table as .csv"


class NumberFormat(NamedTuple):
    """A number format, and whether a number in it is a date or a duration."""

    code: str = "General"
    is_date: bool = False
    is_duration: bool = False


def read_formats(archive: Archive, name: str) -> list[NumberFormat]:
    """Return the format of each style; raise `UnusableSource` for more than a spreadsheet makes, as each is read once."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    elements = archive.elements(name, numFmt=("numFmtId", "formatCode"), xf=("numFmtId",))
    codes = dict(BUILTIN_FORMATS)
    own = [each.attributes for each in elements if each.parent == "numFmts"]
    if len(own) > _MOST:
        raise UnusableSource(MANY_FORMATS)
    codes.update({int(each["numFmtId"]): each["formatCode"] for each in own})
    formats = {number: _format(code) for number, code in codes.items()}
    styles = [
        formats.get(int(each.attributes.get("numFmtId", 0)), formats[0])
        for each in elements
        if each.parent == "cellXfs"
    ]
    return styles or [NumberFormat()]


def _format(code: str) -> NumberFormat:
    from openpyxl.styles.numbers import is_date_format, is_timedelta_format

    if len(code) > LONGEST:
        return NumberFormat(code)
    return NumberFormat(code, bool(is_date_format(code)), bool(is_timedelta_format(code)))
