"""Finds and reads the plain SQL that lives in `sql/`: beside the package when installed, at the top of the checkout otherwise."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def sql_folder() -> Path:
    """Return the folder that holds `migrations/`, `merge/` and the others."""
    packaged = _PACKAGE / "_sql"
    return packaged if packaged.is_dir() else _PACKAGE.parents[1] / "sql"


@cache
def sql(name: str) -> str:
    """Return the text of one SQL file, such as `merge/customer.sql`."""
    return (sql_folder() / name).read_text(encoding="utf-8")
