"""What a command found, written as a table for people or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
FINE, FAILED, USAGE, ATTENTION = 0, 1, 2, 3
"""Exit codes: nothing waits, the question could not be answered, a wrong argument (argparse's own), something waits for a person."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title; `columns` are (key, heading) in their order."""

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Row]
    empty: str = "none"


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of a command: `found` is the JSON object, `tables` say the same to people, `code` is the exit code."""

    found: Row
    tables: Sequence[Table]
    code: int = FINE
    closing: Sequence[str] = field(default_factory=list)

    def as_json(self) -> str:
        """Write the JSON object; times are ISO 8601 in UTC, amounts texts, lengths of time seconds."""
        return json.dumps(self.found, indent=2, ensure_ascii=False, default=_plain)

    def as_text(self) -> str:
        """Write the tables."""
        return "\n\n".join([*(_written(table) for table in self.tables), *self.closing])


def _written(table: Table) -> str:
    if not table.rows:
        return f"{table.title}: {table.empty}"
    cells = [[heading for _, heading in table.columns]]
    cells += [[cell(row.get(key)) for key, _ in table.columns] for row in table.rows]
    is_number = [
        all(isinstance(row.get(key), int | Decimal | float | None) for row in table.rows) for key, _ in table.columns
    ]
    widths = [max(len(line[place]) for line in cells) for place in range(len(table.columns))]
    shown = cells if any(heading for _, heading in table.columns) else cells[1:]
    lines = [
        "  ".join(
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in shown
    ]
    return "\n".join([table.title, *(f"  {line}" for line in lines)])


def cell(value: Any) -> str:
    """Write a value for people."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case Decimal():
            return f"{value:,f}"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        case timedelta():
            seconds = int(value.total_seconds())
            return f"{seconds // 86_400} d" if seconds >= 172_800 else f"{seconds / 3_600:.1f} h"
    return str(value)


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
