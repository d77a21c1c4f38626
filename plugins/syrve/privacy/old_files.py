"""Deletes reports and exports that are older than their retention."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from syrve.identifiers import UUID_PATTERN
from syrve.whole_files import is_left_over

_OURS = {
    "reports": re.compile(r"findings-\d{8}T\d{6}Z-[0-9a-f]{8}\.(csv|html)"),
    "exports": re.compile(rf"{UUID_PATTERN}\.json"),
}
"""Names that the operators give: nothing else in the folders is touched."""


def prune_files(
    folders: Mapping[str, Any], keep_days: Mapping[str, int], *, now: datetime | None = None
) -> dict[str, int]:
    """Delete old files of the folders `reports` and `exports` and return how many of each; `keep_days` is by the same names.

    A folder is a path of `pathlib` or of Airflow's object storage, as are the files' times of writing.
    """
    moment = now or datetime.now(UTC)
    removed = {}
    for kind, folder in folders.items():
        oldest = moment - timedelta(days=keep_days[kind])
        removed[kind] = 0
        for path in list(folder.rglob("*")) if folder.exists() else ():
            is_ours = _OURS[kind].fullmatch(path.name) or is_left_over(path.name)
            if is_ours and path.is_file() and _written_at(path) < oldest:
                path.unlink(missing_ok=True)
                removed[kind] += 1
    return removed


def _written_at(path: Any) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
