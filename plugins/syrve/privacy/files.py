"""Looks for erased people in the files of the inbox: what we wrote is deleted, what a person put there is reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from syrve.sources.bad_rows import SUFFIX
from syrve.sources.inbox import Folder
from syrve.warehouse.database import Cursor, Warehouse, fetch_one
from syrve.warehouse.sql_files import sql

_LINES = 2_000
_TEXT_SUFFIXES = (".csv", ".txt", ".tsv")


def scrub_inbox(warehouse: Warehouse, run_id: str, folders: Iterable[Folder]) -> tuple[int, int]:
    """Delete files of rejected rows that name people erased by a run; return how many, and how many other files name them.

    Text files of local folders are read; buckets, and formats such as .xlsx, are the owner's to look through.
    """
    deleted = named = 0
    with warehouse.transaction("look for erased people in files") as cursor:
        cursor.execute(
            "select distinct organization_id::text from privacy.erasure where run_id = %s and erased_at is not null",
            (run_id,),
        )
        organization_ids = [organization_id for (organization_id,) in cursor.fetchall()]
        for path in _text_files(folders):
            if not _names_erased(cursor, organization_ids, path):
                continue
            if path.name.endswith(SUFFIX):
                path.unlink(missing_ok=True)
                deleted += 1
            else:
                named += 1
    return deleted, named


def _text_files(folders: Iterable[Folder]) -> Iterator[Path]:
    for folder in folders:
        if folder.scheme == "file":
            for path in sorted(Path(folder.root).rglob("*")):
                if path.suffix.lower() in _TEXT_SUFFIXES and path.is_file() and not path.is_symlink():
                    yield path


def _names_erased(cursor: Cursor, organization_ids: list[str], path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        while lines := list(islice(file, _LINES)):
            cursor.execute(
                sql("privacy/lines_name_erased.sql"),
                {"organization_ids": organization_ids, "lines": [line.replace("\x00", "") for line in lines]},
            )
            if fetch_one(cursor)[0]:
                return True
    return False
