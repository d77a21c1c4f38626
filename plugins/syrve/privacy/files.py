"""Looks for erased people in files: what we wrote is deleted, what a person put there is reported.

A place is a folder as a path of `pathlib` or of Airflow's object storage.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

from syrve.approvals.book import RunOf
from syrve.identifiers import UUID_PATTERN
from syrve.optional import is_installed, require_extra
from syrve.sources.bad_rows import SUFFIX
from syrve.sources.errors import UnusableSource
from syrve.sources.excel import UNREADABLE
from syrve.sources.excel_book import Book
from syrve.warehouse.database import Cursor, Warehouse, fetch_one
from syrve.warehouse.sql_files import sql
from syrve.whole_files import SHOWN, is_left_over, put_whole

_LINES = 2_000
_BATCH_ROWS = 10_000
_ID = re.compile(UUID_PATTERN, re.IGNORECASE)
_NOBODY = "erased"
_PACKED = (".zip", ".gz", ".bz2", ".xz", ".7z", ".rar", ".xls", ".ods", ".pdf", ".docx")


@dataclass(slots=True)
class Scrubbed:
    """What became of the files: counts, and the names of files that still name erased people or could not be read."""

    deleted: int = 0
    rewritten: int = 0
    named: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def scrub_files(
    warehouse: Warehouse, run: RunOf, *, inboxes: Iterable[Any], exports: Iterable[Any], reports: Iterable[Any] = ()
) -> Scrubbed:
    """Delete files that we wrote and that name people erased by a run; find other files that do.

    In the inboxes ours are the files of rejected rows; all exports are, and in every folder what a killed writer left. In reports, which
    are of money, the ids of these people are replaced. Text, .xlsx and .parquet are read, of any size. A file's name counts like its
    content, and one that names a person is not repeated.
    """
    done = Scrubbed()
    with warehouse.transaction("look for erased people in files") as cursor:
        cursor.execute(
            "select distinct organization_id::text from privacy.erasure where dag_id = %s and run_id = %s and erased_at is not null",
            (run.dag_id, run.run_id),
        )
        search = _Search(cursor, [organization_id for (organization_id,) in cursor.fetchall()])
        for place in inboxes:
            for path in _files(place):
                _scrub(search, path, done, is_ours=path.name.endswith(SUFFIX) or is_left_over(path.name))
        for place in exports:
            for path in _files(place):
                _scrub(search, path, done, is_ours=True)
        for place in reports:
            for path in _files(place):
                if is_left_over(path.name):
                    _scrub(search, path, done, is_ours=True)
                elif path.suffix in (".csv", ".html"):
                    try:
                        done.rewritten += _rewrite(search, path)
                    except ValueError:  # not UTF-8: no report of ours
                        done.unread.append(path.name)
    return done


class _Search:
    """Asks the database whether texts name an erased person of some organizations."""

    def __init__(self, cursor: Cursor, organization_ids: list[str]) -> None:
        self._cursor = cursor
        self._organization_ids = organization_ids

    def names_erased(self, lines: Iterable[str]) -> bool:
        """Whether one of the lines does."""
        left = iter(lines)
        while batch := list(islice(left, _LINES)):
            values = {
                "organization_ids": self._organization_ids,
                "lines": [line.replace("\x00", "") for line in batch],
            }
            self._cursor.execute(sql("privacy/lines_name_erased.sql"), values)
            if fetch_one(self._cursor)[0]:
                return True
        return False

    def erased_ids(self, ids: Iterable[str]) -> set[str]:
        """Which of the ids are those of erased people."""
        values = {"organization_ids": self._organization_ids, "ids": sorted(set(ids))}
        self._cursor.execute(sql("privacy/erased_ids.sql"), values)
        return {name for (name,) in self._cursor.fetchall()}


def _rewrite(search: _Search, path: Any) -> bool:
    """Put a word in place of the ids of erased people; a file without one stays as it is."""
    text = path.read_text(encoding="utf-8")
    erased = search.erased_ids(_ID.findall(text))
    if erased:
        rewritten = _ID.sub(lambda found: _NOBODY if found[0] in erased else found[0], text)
        put_whole(path, rewritten.encode(), mode=SHOWN)
    return bool(erased)


def _scrub(search: _Search, path: Any, done: Scrubbed, *, is_ours: bool) -> None:
    is_named = search.names_erased([path.name])
    shown = f"a file{path.suffix} whose name names a person" if is_named else path.name
    if not is_named:
        try:
            with path.open("rb") as file:
                is_named = search.names_erased(_lines(path.suffix.lower(), file))
        except _unreadable():
            done.unread.append(shown)
            return
    if is_named and is_ours:
        path.unlink(missing_ok=True)
        done.deleted += 1
    elif is_named:
        done.named.append(shown)


def _files(place: Any) -> Iterator[Any]:
    if getattr(place, "protocol", "file") not in ("", "file", "local"):
        # `exists` and `is_file` of a store answer no where it refuses the login, and the person would not be found.
        for key in sorted(place.fs.find(place.path)):
            yield place / key.removeprefix(place.path.rstrip("/")).lstrip("/")
        return
    if not place.exists():
        return
    for path in sorted(place.rglob("*"), key=str):
        if path.is_file() and not path.is_symlink():
            yield path


def _lines(suffix: str, file: IO[bytes]) -> Iterator[str]:
    if suffix in (".xlsx", ".xlsm"):
        yield from _cells_of_workbook(file)
    elif suffix == ".parquet":
        yield from _cells_of_parquet(file)
    elif suffix in _PACKED:
        raise ValueError("a format that is not searched")
    else:
        yield from codecs.getreader("utf-8")(file, "replace")


def _cells_of_workbook(file: IO[bytes]) -> Iterator[str]:
    book = Book(file)
    try:
        yield from book.strings  # once each, and those that no cell has any more
        for sheet in book.sheets:  # hidden ones too
            for row in book.rows(sheet):
                yield from (_text(cell.value) for cell in row.cells if cell.value is not None and not cell.is_shared)
    finally:
        book.close()


def _cells_of_parquet(file: IO[bytes]) -> Iterator[str]:
    require_extra("parquet", "a .parquet file", UnusableSource)
    from pyarrow import parquet

    for batch in parquet.ParquetFile(file).iter_batches(_BATCH_ROWS):
        for row in batch.to_pylist():
            yield from (_text(cell) for cell in row.values() if cell is not None)


def _text(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _unreadable() -> tuple[type[Exception], ...]:
    """What the readers raise for a file that is not what it says, may not be read, or needs an extra that is not installed."""
    if not is_installed("pyarrow"):
        return (*UNREADABLE, UnusableSource)
    from pyarrow import ArrowException

    return (*UNREADABLE, UnusableSource, ArrowException)
