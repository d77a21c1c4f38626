"""Keeps spreadsheets from taking a cell that we write for a formula, and reads it back as it was.

A cell is one if it begins, white space aside, with a sign of a formula; an apostrophe before it makes it text (OWASP, *CSV Injection*).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SIGNS = frozenset(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)


def as_text_cell(cell: str) -> str:
    """Return a cell as it goes into a file that spreadsheets open."""
    return f"'{cell}" if _is_formula(cell) else cell


def as_it_was(cell: Any) -> Any:
    """Return a cell that `as_text_cell` gave as it was before; every other one as it is."""
    return cell[1:] if isinstance(cell, str) and cell[:1] == "'" and _is_formula(cell[1:]) else cell


def as_they_were(cells: Sequence[Any]) -> Sequence[Any]:
    """Return the cells of a row as they were before `as_text_cell`."""
    return (
        [as_it_was(cell) for cell in cells]
        if any(isinstance(cell, str) and cell[:1] == "'" for cell in cells)
        else cells
    )


def _is_formula(cell: str) -> bool:
    return cell[:1] in SIGNS or cell.lstrip()[:1] in SIGNS
