"""Writes rows in the text format of `COPY`, and sends them while they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec
import psycopg2
from psycopg2 import sql

from syrve.warehouse.database import Cursor

CHUNK_CHARACTERS = 64 * 1024
NULL = "\\N"
FLAGS = {None: NULL, True: "t", False: "f"}
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_JSON = msgspec.json.Encoder(decimal_format="number", order="sorted")


def json_text(value: Any) -> str:
    """Write JSON with decimals as exact numbers and keys in order, so that equal values give equal text."""
    return _JSON.encode(value).decode()


def _text(value: str) -> str:
    if "\\" not in value and value.isprintable():
        return value  # nearly all text; tab and line ends are not printable
    return value.translate(_ESCAPES)


def copy_text(value: str | None) -> str:
    """Write a text or null, like `copy_value`."""
    return NULL if value is None else _text(value)


class _Writers(dict[type, Callable[[Any], str]]):
    """How to write a value, by its exact type; a type not met before is written as the nearest of its bases, or as its `str`."""

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        writer: Callable[[Any], str] = next((self[base] for base in kind.__mro__ if base in self), str)
        self[kind] = writer
        return writer


_WRITERS = _Writers(
    {
        type(None): FLAGS.__getitem__,
        bool: FLAGS.__getitem__,
        str: _text,
        Decimal: lambda value: format(value, "f"),
        datetime: lambda value: value.isoformat(),
        date: lambda value: value.isoformat(),
        bytes: lambda value: "\\\\x" + value.hex(),
        dict: lambda value: _text(json_text(value)),
        list: lambda value: _text(json_text(value)),
    }
)


def copy_value(value: object) -> str:
    """Write one value; text must hold no NUL (the readers of `syrve.api` see to that)."""
    return _WRITERS[type(value)](value)


def copy_line(values: Iterable[object]) -> str:
    """Write one row, without the line end."""
    return "\t".join([_WRITERS[type(value)](value) for value in values])


def copy_lines(cursor: Cursor, table: str, columns: Sequence[str], lines: Iterable[str]) -> None:
    """Send rows written by `copy_line` to a table: Postgres takes one chunk in while the next is made, and only a chunk is held in memory.

    Without rows nothing is sent. What `lines` raises ends the statement and is raised as it is; the transaction can then only be rolled
    back. `lines` must not use the cursor's connection, which is busy until the end.
    """
    chunks = _chunks(lines)
    first = next(chunks, None)
    if first is None:
        return
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    source = _Source(chain((first,), chunks))
    try:
        cursor.copy_expert(statement, source)  # type: ignore[arg-type]  # text will do: psycopg2 encodes it
    except psycopg2.Error:
        if source.failure is None:
            raise
        raise source.failure from None


def _chunks(lines: Iterable[str]) -> Iterator[str]:
    """Join lines into chunks of `CHUNK_CHARACTERS` or little more; each has its end, for a row of one empty text is a row too."""
    chunk: list[str] = []
    characters = 0
    for line in lines:
        chunk += (line, "\n")
        characters += len(line) + 1
        if characters >= CHUNK_CHARACTERS:
            yield "".join(chunk)
            chunk.clear()
            characters = 0
    if chunk:
        yield "".join(chunk)


class _Source:
    """What psycopg2 reads a COPY from, a chunk a read; `failure` is what making a chunk raised.

    psycopg2 sends the text of an exception to the server, which logs it; so the real one is kept here, and psycopg2 gets one that is mute.
    """

    def __init__(self, chunks: Iterator[str]) -> None:
        self.failure: BaseException | None = None
        self._chunks = chunks

    def read(self, _size: int) -> str:
        """Return the next chunk whole, of any size: psycopg2 sends on what it gets, and takes an empty one as the end."""
        try:
            return next(self._chunks, "")
        except BaseException as failure:  # noqa: BLE001 - `copy_lines` raises it
            self.failure = failure
            raise InterruptedError("the rows ended early") from None
