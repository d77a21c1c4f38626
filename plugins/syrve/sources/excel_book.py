"""An .xlsx that is open for reading: its sheets, and their rows with what the file stores as results of formulas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

from syrve.optional import require_extra
from syrve.sources.errors import UnusableSource
from syrve.sources.excel_formats import NumberFormat, read_formats
from syrve.sources.excel_layout import Layout, read_layout
from syrve.sources.excel_sheet import Shared, SheetRow, sheet_rows
from syrve.sources.excel_strings import read_strings
from syrve.sources.excel_xml import RELATION_ID, TOO_LARGE, Archive, Element, Related
from syrve.sources.limits import LIMITS, Deadline, Limits

ONE_PART = "sheets of the file share one part, which no spreadsheet writes; save the table as .csv"
_MOST_PARTS = 10_000
_CONTENT_TYPES = "[Content_Types].xml"


class Sheet(NamedTuple):
    """A sheet of cells: its name, the part that holds it, and whether people see it."""

    title: str
    part: str
    is_visible: bool


class Book:
    """A workbook. Raises `UnusableSource` for what needs more memory or time than a workbook of its size, else `UNREADABLE`."""

    def __init__(self, file: IO[bytes], limits: Limits = LIMITS) -> None:
        require_extra("excel", "a .xlsx file", UnusableSource)
        from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

        self.deadline = Deadline(limits)
        self._archive = Archive(file, limits, self.deadline)
        _check_size(self._archive, file, limits)
        types = self._archive.elements(_CONTENT_TYPES, Override=("PartName", "ContentType"))
        book = _part_of(types, ".main+xml") or "xl/workbook.xml"
        elements = self._archive.elements(book, workbookPr=("date1904",), sheet=("name", "state", RELATION_ID))
        related = self._archive.related(book)
        self.sheets = self._sheets(related, [each.attributes for each in elements if each.name == "sheet"])
        is_1904 = any(each.attributes.get("date1904") in ("1", "true") for each in elements)
        strings = self._part(types, ".sharedStrings+xml", related, "/sharedStrings")
        styles = self._part(types, ".styles+xml", related, "/styles") or self._archive.found("xl/styles.xml")
        self._shared = Shared(
            read_strings(self._archive, strings) if strings is not None else [],
            read_formats(self._archive, styles) if styles is not None else [NumberFormat()],
            CALENDAR_MAC_1904 if is_1904 else CALENDAR_WINDOWS_1900,
        )

    def close(self) -> None:
        """Let the file go; the caller closes it."""
        self._archive.close()

    @property
    def strings(self) -> list[str]:
        """The texts that cells share."""
        return self._shared.strings

    def layout(self, sheet: Sheet) -> Layout:
        """What people don't see of the rows of a sheet."""
        return read_layout(self._archive, sheet.part)

    def rows(self, sheet: Sheet) -> Iterator[SheetRow]:
        """Give the rows that are in the file."""
        return sheet_rows(self._archive, sheet.part, self._shared)

    def _sheets(self, related: dict[str, Related], elements: list[dict[str, str]]) -> list[Sheet]:
        """Return the sheets of cells whose parts are in the file."""
        found: list[Sheet] = []
        for each in elements:
            target = related.get(each.get(RELATION_ID, ""))
            part = self._archive.found(target.part) if target and "chartsheet" not in target.kind else None
            if part is not None:
                found.append(Sheet(each["name"], part, each.get("state", "visible") == "visible"))
        if len({sheet.part for sheet in found}) < len(found):
            raise UnusableSource(ONE_PART)
        return found

    def _part(self, types: list[Element], ending: str, related: dict[str, Related], kind: str) -> str | None:
        """Return the part of a kind that is in the file, by its type or by how the book refers to it."""
        names = [_part_of(types, ending), *(each.part for each in related.values() if each.kind.endswith(kind))]
        parts = [self._archive.found(each) for each in names if each is not None]
        return next((each for each in parts if each is not None), None)


def _part_of(types: list[Element], ending: str) -> str | None:
    """Return the part that the file declares to be of a type; one of texts may be missing."""
    return next(
        (each.attributes["PartName"].lstrip("/") for each in types if each.attributes["ContentType"].endswith(ending)),
        None,
    )


def _check_size(archive: Archive, file: IO[bytes], limits: Limits) -> None:
    """Refuse a file that unpacks to too much, in all or of one part, or to too many times its size."""
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    packed = file.seek(0, 2)
    if unpacked > limits.max_bytes or len(parts) > _MOST_PARTS:
        raise UnusableSource(TOO_LARGE)
    if unpacked > limits.ratio_free_bytes and unpacked > packed * limits.max_ratio:
        raise UnusableSource(TOO_LARGE)
    for part in parts:
        bound = limits.max_sheet_bytes if "sheet" in part.filename.lower() else limits.max_sheet_bytes // 10
        if part.file_size > bound:
            raise UnusableSource(TOO_LARGE)
