"""A source as imports read it: chunks of rows under known columns, and the lines that are no rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from syrve.sources.columns import Columns, Matched
from syrve.sources.errors import UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.formulas import as_they_were
from syrve.sources.limits import LIMITS, Deadline, Limits
from syrve.sources.row import Row, ValueRules

CHUNK_ROWS = 10_000
_MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no row of the table; `cells` are what it holds, in their order."""

    line: int
    reason: str
    cells: Sequence[Any] = ()


Line = tuple[int, Sequence[Any]] | BadLine
"""What the readers of formats give: a line number from 1 with its cells, or a line that is no row."""


@dataclass(slots=True)
class Chunk:
    """Up to `CHUNK_ROWS` lines of a source."""

    rows: list[Row] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)


@dataclass(slots=True)
class Facts:
    """What was found out about a source. `columns` maps headings to columns; `unknown` are the places of columns that nothing reads.

    Where a file has no headings, those that are taken for them are a row of it: no text of the source is told, `sheet` is its place.
    """

    format: str = ""
    encoding: str | None = None
    separator: str | None = None
    sheet: int | None = None
    header_line: int | None = None
    columns: dict[str, str] = field(default_factory=dict)
    unknown: Sequence[int] = ()
    headings: Sequence[str] = ()

    def summary(self) -> str:
        """Describe the source in one line."""
        parts = [self.format]
        parts += [
            f"{name} {value!r}" for name, value in (("encoding", self.encoding), ("separator", self.separator)) if value
        ]
        parts += [f"sheet {self.sheet}"] if self.sheet else []
        parts += [f"headings in line {self.header_line}"] if self.header_line else []
        parts.append("columns " + ", ".join(sorted(self.columns.values())))
        if self.unknown:
            named = ", ".join(map(str, self.unknown[:_MAX_NAMED])) + (", ..." if len(self.unknown) > _MAX_NAMED else "")
            parts.append(f"not read: {len(self.unknown)} (by their place: {named})")
        return "; ".join(part for part in parts if part)


class Source(Protocol):
    """Anything that an import can read."""

    facts: Facts

    def chunks(self, columns: Columns) -> Iterator[Chunk]:
        """Give the rows; raise `UnusableSource` if they cannot be read or lack a needed column."""
        ...


class RowsSource:
    """Rows from code: mappings by column name, or frames of pandas."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = rows
        self.facts = Facts("rows")

    def chunks(self, columns: Columns) -> Iterator[Chunk]:
        """Give the rows, a chunk for each `CHUNK_ROWS` of them; a frame is one chunk."""
        line = 0
        for names, rows in _groups(self._rows):
            matched = columns.match(names, {})
            columns.check(matched.names)
            keys = {names[place]: column for place, column in matched.places.items()}
            chunk = Chunk()
            for row in rows:
                line += 1
                chunk.rows.append(Row(line, {column: row.get(name) for name, column in keys.items()}))
            yield chunk


def as_source(rows: Any) -> Source:
    """Return a source as it is, and rows or frames from code as one."""
    return rows if hasattr(rows, "chunks") else RowsSource(rows)


def tabulate(
    matched: Matched,
    lines: Iterable[Line],
    columns: Columns,
    file_format: FileFormat,
    facts: Facts,
    *,
    limits: Limits = LIMITS,
    keep_blank: bool = False,
) -> Iterator[Chunk]:
    """Put the lines under their headings, a chunk at a time; blank lines are left out unless `keep_blank`."""
    columns.check(matched.names)
    if columns.are_facts and (file_format.null_words or file_format.decimal_mark):
        raise UnusableSource(
            "the words for an empty cell and the decimal mark must be empty for records that are taken for facts; "
            "write them in the source so that they are plain"
        )
    facts.columns = {str(matched.headings[place]): column for place, column in matched.places.items()}
    facts.unknown = matched.unknown
    facts.headings = ["" if each is None else str(each) for each in matched.headings]
    rules = ValueRules(file_format.decimal_mark, file_format.null_words)
    deadline, read = Deadline(limits), 0
    places = list(matched.places.items())
    for taken in _parts(lines, limits):
        read += len(taken)
        deadline.check(read)
        chunk = Chunk()
        for line in taken:
            if isinstance(line, BadLine):
                chunk.bad.append(line)
                continue
            cells = as_they_were(line[1])
            row = Row(line[0], {column: cells[place] for place, column in places}, rules, cells)
            if keep_blank or not _is_blank(cells):
                chunk.rows.append(row)
        yield chunk


def _parts(lines: Iterable[Line], limits: Limits) -> Iterator[list[Line]]:
    """Give the lines in parts of at most `CHUNK_ROWS`, and of not much more than `max_chunk_length`."""
    part: list[Line] = []
    length, total = 0, 0
    for line in lines:
        sizes = [len(cell) for cell in (line.cells if isinstance(line, BadLine) else line[1]) if _has_length(cell)]
        if not isinstance(line, BadLine) and max(sizes, default=0) > limits.max_cell_length:
            raise UnusableSource(f"a cell of line {line[0]} is longer than {limits.max_cell_length:,} characters")
        part.append(line)
        length += sum(sizes)
        total += sum(sizes)
        if total > limits.max_length:
            raise UnusableSource(f"the cells hold more than {limits.max_length:,} characters in all; divide the source")
        if len(part) == CHUNK_ROWS or length >= limits.max_chunk_length:
            yield part
            part, length = [], 0
    if part:
        yield part


def _has_length(cell: Any) -> bool:
    return isinstance(cell, str | bytes | bytearray | memoryview)


def _is_blank(cells: Sequence[Any]) -> bool:
    return all(value is None or (isinstance(value, str) and not value.strip()) for value in cells)


def _groups(rows: Iterable[Any]) -> Iterator[tuple[list[str], list[Mapping[str, Any]]]]:
    iterator = iter(rows)
    for first in iterator:
        if hasattr(first, "to_dict"):
            yield [str(name) for name in first.columns], _records(first)
            continue
        group = [first, *islice(iterator, CHUNK_ROWS - 1)]
        if not all(isinstance(each, Mapping) for each in group):
            raise UnusableSource("rows from code must be mappings by column name, or frames")
        yield list(dict.fromkeys(name for row in group for name in row)), group


def _records(frame: Any) -> list[Mapping[str, Any]]:
    filled = frame.astype("object").where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in filled.to_dict("records")]
