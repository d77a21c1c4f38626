"""How large a source may be; beyond it is refused with a clear text instead of taking the worker down."""

from __future__ import annotations

import time
from dataclasses import dataclass

from syrve.sources.errors import UnusableSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one source; sizes in bytes, lengths in characters, `max_seconds` from opening to the last row."""

    max_bytes: int = 1_000_000_000
    max_ratio: int = 200
    """A compressed file may unpack to its size times this, once it is larger than `ratio_free_bytes`."""
    ratio_free_bytes: int = 20_000_000
    max_sheet_bytes: int = 400_000_000
    """One part of an .xlsx, unpacked; texts of the sheets are held in memory, so theirs is a tenth of it."""
    max_part_tags: int = 400_000
    """Elements and attributes of a part of an .xlsx that is read whole, such as its styles."""
    max_string_tags: int = 3_000_000
    """Elements of the texts that the cells of an .xlsx share."""
    max_row_tags: int = 500_000
    """Elements and attributes of one row of a sheet, and of what is outside of its rows."""
    max_length: int = 1_000_000_000
    """Characters of all cells: a text that is once in a file, and in many cells, counts for each of them."""
    max_page_bytes: int = 50_000_000
    """One page of a column of a .parquet, unpacked; and about so much of its texts is in memory at once, however many rows that is."""
    max_rows: int = 5_000_000
    max_columns: int = 500
    max_cell_length: int = 100_000
    max_line_length: int = 1_000_000
    max_chunk_length: int = 16_000_000
    """Characters of the cells that are in memory at once; a chunk ends before its rows are `CHUNK_ROWS`, if they are long."""
    max_quoted_lines: int = 100
    """A quoted text over more lines is taken for a stray quote."""
    max_seconds: float = 3_600.0


LIMITS = Limits()


class Deadline:
    """Counts rows and seconds of one source; `check` raises `UnusableSource` beyond them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._ends_at = time.monotonic() + limits.max_seconds

    def check(self, rows: int) -> None:
        """Refuse the source if it has more rows or takes longer than it may; `rows` are those read so far."""
        if rows > self._limits.max_rows:
            raise UnusableSource(f"the source has more than {self._limits.max_rows:,} rows; divide it")
        if time.monotonic() > self._ends_at:
            raise UnusableSource(f"reading the source took longer than {self._limits.max_seconds:,.0f} s; divide it")
