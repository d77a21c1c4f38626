"""Reads a file that is open for reading: CSV, CSV in gzip, Parquet or Excel, by the ending of its name."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from syrve.sources.columns import Columns
from syrve.sources.errors import UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Limits
from syrve.sources.source import Chunk, Facts
from syrve.sources.spool import spool

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".xlsx")
_OTHERS = {
    b"PK\x03\x04": ("a zip archive, as .xlsx is", (".xlsx",)),
    b"\xd0\xcf\x11\xe0": ("an old Excel file (.xls), or one with a password", ()),
    b"PAR1": ("a Parquet file", (".parquet",)),
    b"\x1f\x8b": ("a gzip file", (".csv.gz",)),
    b"%PDF": ("a PDF", ()),
    b"{\\rtf": ("a text document", ()),
}
_HTML = (b"<!doctype", b"<html", b"<?xml", b"<table")
_BROKEN = (LookupError, EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)


class FileSource:
    """A file; the caller opened it and closes it. `chunks` copies it first, so a file that is too large writes nothing."""

    def __init__(
        self, file: IO[bytes], name: str, file_format: FileFormat | None = None, *, limits: Limits = LIMITS
    ) -> None:
        self._file = file
        self._name = name.lower()
        self._format = file_format or FileFormat()
        self._limits = limits
        self.facts = Facts()

    def chunks(self, columns: Columns) -> Iterator[Chunk]:
        """Give the rows; raise `UnusableSource` if it is no such file, `UnreadableSource` if its storage fails."""
        ending = next((each for each in sorted(SUFFIXES, key=len, reverse=True) if self._name.endswith(each)), None)
        if ending is None:
            raise UnusableSource(f"the file must end in one of {', '.join(SUFFIXES)}; save it as one of them")
        with spool(self._file, unpack=ending == ".csv.gz", limits=self._limits) as copy:
            _check_content(copy, ending)
            try:
                yield from self._read(copy, ending, columns)
            except UnusableSource:
                raise
            except _BROKEN as error:
                raise UnusableSource(f"the file is not readable as {ending} ({type(error).__name__})") from None

    def _read(self, copy: IO[bytes], ending: str, columns: Columns) -> Iterator[Chunk]:
        if ending == ".parquet":
            from syrve.sources.parquet import parquet_chunks as read
        elif ending == ".xlsx":
            from syrve.sources.excel import excel_chunks as read
        else:
            from syrve.sources.delimited import csv_chunks as read
        return read(copy, columns, self._format, self.facts, self._limits)


def _check_content(copy: IO[bytes], ending: str) -> None:
    start = copy.read(512)
    copy.seek(0)
    for mark, (what, endings) in _OTHERS.items():
        if start.startswith(mark) and ending not in endings:
            raise UnusableSource(
                f"the file is {what}, and its name ends in {ending}: rename it, or save it as .csv or .xlsx"
            )
    if ending.startswith(".csv") and start.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(_HTML):
        raise UnusableSource(
            "the file is a web page or XML, and its name ends in .csv: save the table as .csv or .xlsx"
        )
