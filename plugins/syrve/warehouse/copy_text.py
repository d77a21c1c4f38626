"""Writes rows in the text format of `COPY`, and sends them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import simplejson
from psycopg2 import sql

from syrve.warehouse.database import Cursor

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def json_text(value: Any) -> str:
    """Write JSON with decimals as exact numbers and keys in order, so that equal values give equal text."""
    return simplejson.dumps(
        value, use_decimal=True, ensure_ascii=False, sort_keys=True, separators=(",", ":"), namedtuple_as_object=False
    )


def copy_value(value: object) -> str:
    """Write one value; text must hold no NUL (the readers of `syrve.api` see to that)."""
    match value:
        case None:
            return "\\N"
        case bool():
            return "t" if value else "f"
        case str():
            return value.translate(_ESCAPES)
        case Decimal():
            return format(value, "f")
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return "\\\\x" + value.hex()
        case {} if not value:
            return "{}"
        case dict() | list():
            return json_text(value).translate(_ESCAPES)
    return str(value)


def copy_line(values: Iterable[object]) -> str:
    """Write one row, without the line end."""
    return "\t".join([copy_value(value) for value in values])


def copy_lines(cursor: Cursor, table: str, columns: Sequence[str], lines: Iterable[str]) -> None:
    """Send rows written by `copy_line` to a table; they are held in memory, so send a batch at a time."""
    ended = [f"{line}\n" for line in lines]  # a row of one empty text is an empty line, and still a row
    if not ended:
        return
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    cursor.copy_expert(statement, io.StringIO("".join(ended)))
