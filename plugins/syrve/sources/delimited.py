"""Reads CSV: lines of fields between separators, quoted as RFC 4180 has it; what is not is a bad line, and the others go on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO

from syrve.sources.columns import Columns
from syrve.sources.encoding import find_encoding
from syrve.sources.errors import UnusableSource
from syrve.sources.file_format import FileFormat
from syrve.sources.limits import LIMITS, Limits
from syrve.sources.source import BadLine, Chunk, Facts, Line, tabulate

SEPARATORS = (",", ";", "\t", "|")
HEADER_WITHIN_LINES = 20
_NO_SEPARATOR = "\x1f"
_ANY_SEPARATOR = "\x1e"
"""For the rows under a single heading: no file says which of them it would be, so each of them ends a field."""


def csv_chunks(
    file: IO[bytes], columns: Columns, file_format: FileFormat, facts: Facts, limits: Limits = LIMITS
) -> Iterator[Chunk]:
    """Give the rows of a CSV file that can be read again from its beginning; raise `UnusableSource`."""
    facts.format = "CSV"
    facts.encoding = find_encoding(
        file, file_format.encoding, lambda headings: columns.recognized(headings, file_format.columns)
    )
    first = next(iter(_lines(file, facts.encoding, limits)), "").lstrip("\ufeff").rstrip("\r\n")
    stated = first[4] if first[:4].lower() == "sep=" and len(first) == 5 else None
    skipped = 1 if stated else 0
    known = file_format.separator or stated
    separators = (known,) if known else SEPARATORS

    def records(separator: str) -> Iterator[Line]:
        return split_records(_lines(file, facts.encoding or "", limits), separator, limits)

    separator, header_line, headings = _find_header(records, separators, skipped, columns, file_format)
    if len(headings) > limits.max_columns:
        raise UnusableSource(f"the file has more than {limits.max_columns} columns")
    facts.separator = None if separator == _NO_SEPARATOR else separator
    facts.header_line = header_line
    splitting = _ANY_SEPARATOR if separator == _NO_SEPARATOR else separator
    body = (line for line in records(splitting) if _number(line) > header_line)
    matched = columns.match(headings, file_format.columns)
    yield from tabulate(matched, _fitted(body, headings), columns, file_format, facts, limits=limits)


def split_records(lines: Iterable[str], separator: str, limits: Limits = LIMITS) -> Iterator[Line]:
    """Split lines into records; a stray quote makes bad lines of those that it reaches, and no more."""
    numbered = enumerate(lines, start=1)
    waiting: list[tuple[int, str]] = []
    while True:
        number, line = waiting.pop(0) if waiting else next(numbered, (0, ""))
        if not number:
            return
        if '"' not in line:
            yield number, _split(line.rstrip("\r\n"), separator)
            continue
        fields = _parse(line, separator)
        if isinstance(fields, list):
            yield number, fields
        elif fields == "open":
            yield from _quoted(number, line, separator, numbered, waiting, limits)
        else:
            yield BadLine(number, "a quote is neither doubled nor at the end of its field", (line.rstrip("\r\n"),))


def _split(text: str, separator: str) -> list[str]:
    return re.split("[,;\t|]", text) if separator == _ANY_SEPARATOR else text.split(separator)


def _quoted(
    number: int,
    line: str,
    separator: str,
    numbered: Iterator[tuple[int, str]],
    waiting: list[tuple[int, str]],
    limits: Limits,
) -> Iterator[Line]:
    """Read on from a line whose quote is still open; lines that prove to be none of it go back to `waiting`."""
    taken = [(number, line)]
    fields: list[str] | str = "open"
    while fields == "open" and len(taken) <= limits.max_quoted_lines:
        following = waiting.pop(0) if waiting else next(numbered, None)
        if following is None:
            break
        taken.append(following)
        if '"' in following[1]:
            fields = _parse("".join(text for _, text in taken), separator)
    if fields == "open":
        waiting[:0] = taken[1:]
        yield BadLine(number, "a quote is opened and never closed", (line.rstrip("\r\n"),))
    elif isinstance(fields, str) or _looks_like_rows(taken, separator, len(fields)):
        reason = f"a quote that is opened in line {number} reaches line {taken[-1][0]}, over what look like rows"
        yield from (BadLine(each, reason, (text.rstrip("\r\n"),)) for each, text in taken)
    else:
        yield number, fields


def _looks_like_rows(taken: list[tuple[int, str]], separator: str, width: int) -> bool:
    """Whether each line of a quoted text has as many fields as the record: a stray quote that happens to meet another."""
    return all(text.count(separator) == width - 1 for _, text in taken)


def _parse(text: str, separator: str) -> list[str] | str:
    """Return the fields, `open` if a quote is still open at the end, or `broken`."""
    try:
        rows = list(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error as error:
        return "open" if "unexpected end of data" in str(error) else "broken"
    return rows[0] if len(rows) == 1 else ("broken" if rows else [""])


def _lines(file: IO[bytes], encoding: str, limits: Limits) -> Iterator[str]:
    csv.field_size_limit(max(csv.field_size_limit(), limits.max_line_length * 2))
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="")
    number = 0
    try:
        while line := text.readline(limits.max_line_length):
            number += 1
            if len(line) >= limits.max_line_length:
                raise UnusableSource(f"line {number} of the file is longer than {limits.max_line_length:,} characters")
            yield line
    finally:
        if not file.closed:
            text.detach()


def _find_header(
    records: Callable[[str], Iterator[Line]],
    separators: Iterable[str],
    skipped: int,
    columns: Columns,
    file_format: FileFormat,
) -> tuple[str, int, list[str]]:
    """Find the row that names the columns and, with it, the separator: where the most headings are known."""
    best: list[tuple[int, int, str, int, list[str]]] = []
    for separator in separators:
        for line in islice(
            records(separator), HEADER_WITHIN_LINES if not file_format.header_row else file_format.header_row
        ):
            number, cells = (line.line, ()) if isinstance(line, BadLine) else line
            wanted = number > skipped and (file_format.header_row in (None, number))
            known = columns.recognized(cells, file_format.columns) if wanted else 0
            if known:
                best.append((known, -number, separator, number, list(cells)))
    if not best:
        raise _no_header(records, columns, file_format)
    top = max(each[:2] for each in best)
    chosen = [each for each in best if each[:2] == top]
    if len({len(each[4]) for each in chosen}) > 1:
        chosen = [each for each in chosen if _is_followed(records(each[2]), each[3], len(each[4]))]
        if len({each[2] for each in chosen}) != 1:
            raise UnusableSource("the separator of the file is in doubt; state it in the form")
    _, _, separator, number, cells = chosen[0]
    return (separator if len(cells) > 1 else _NO_SEPARATOR), number, [cell.lstrip("\ufeff") for cell in cells]


def _is_followed(records: Iterator[Line], header_line: int, width: int) -> bool:
    following = [line for line in islice(records, header_line + HEADER_WITHIN_LINES) if _number(line) > header_line]
    return bool(following) and all(not isinstance(line, BadLine) and len(line[1]) == width for line in following)


def _no_header(records: Callable[[str], Iterator[Line]], columns: Columns, file_format: FileFormat) -> UnusableSource:
    if next(records(","), None) is None:
        return UnusableSource("the file must begin with a line of column names")
    try:
        columns.check(set())
    except UnusableSource as problem:
        where = f"line {file_format.header_row}" if file_format.header_row else f"the first {HEADER_WITHIN_LINES} lines"
        return UnusableSource(f"{problem}; none is named in {where}")
    return UnusableSource("no column of the file is known")


def _fitted(lines: Iterable[Line], headings: list[str]) -> Iterator[Line]:
    """Reject lines that are wider or narrower than the headings; empty fields at the end of a line or of the headings count for nothing."""
    width = len(headings)
    least = max((place + 1 for place, heading in enumerate(headings) if heading.strip()), default=0)
    for line in lines:
        if isinstance(line, BadLine):
            yield line
            continue
        number, cells = line
        if len(cells) == width:
            yield line
        elif not any(cell.strip() for cell in cells):
            continue
        elif len(cells) < least:
            yield BadLine(number, f"has {len(cells)} fields, fewer than the {least} columns", cells)
        elif any(cell.strip() for cell in cells[width:]):
            yield BadLine(number, f"has {len(cells)} fields, more than the {width} columns", cells)
        else:
            yield number, [*cells, *[""] * (width - len(cells))][:width]


def _number(line: Line) -> int:
    return line.line if isinstance(line, BadLine) else line[0]
