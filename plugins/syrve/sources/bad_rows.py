"""Keeps the bad rows of an import for the person who mends them: the first ones by line and reason, and all of them as a file."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from syrve.sources.formulas import as_text_cell

FIRST_ROWS = 20
MAX_ROWS = 100_000
SUFFIX = ".rejected.csv"


@dataclass(frozen=True, slots=True)
class BadRowNote:
    """Where a bad row is and what is wrong with it; holds no value of it."""

    line: int
    reason: str


class BadRows:
    """Collects bad rows in a nameless temporary file; use it as a context manager."""

    def __init__(self) -> None:
        self.first: list[BadRowNote] = []
        self.count = 0
        self._file: IO[str] | None = None

    def __enter__(self) -> BadRows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, line: int, reason: str, cells: Sequence[str]) -> None:
        """Keep a bad row as it was; of more than `MAX_ROWS` the rest is counted only."""
        self.count += 1
        if len(self.first) < FIRST_ROWS:
            self.first.append(BadRowNote(line, reason))
        if self.count <= MAX_ROWS:
            if self._file is None:
                self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="", prefix="syrve-rejected-")  # noqa: SIM115
            texts = (as_text_cell(each.encode("utf-8", "replace").decode()) for each in (reason, *cells))
            csv.writer(self._file).writerow([line, *texts])

    def pieces(self, headings: Sequence[str]) -> Iterator[bytes]:
        """Give the file of the bad rows: line, reason, and the row as it was under its headings; mended, it can be imported itself.

        It is UTF-8 with a mark, so that spreadsheets open it rightly; what they would take for a formula has an apostrophe before it, which
        every source takes away again.
        """
        head = io.StringIO(newline="")
        csv.writer(head).writerow(["line", "reason", *map(as_text_cell, headings)])
        yield b"\xef\xbb\xbf" + head.getvalue().encode()
        if self._file is not None:
            self._file.seek(0)
            while text := self._file.read(1 << 16):
                yield text.encode()

    def notes(self) -> list[dict[str, int | str]]:
        """Return the first bad rows as plain values."""
        return [{"line": each.line, "reason": each.reason} for each in self.first]
