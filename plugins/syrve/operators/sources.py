"""Opens what an import reads: a file of the inbox, or a query on a connection that forms may use; and reports the outcome."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from syrve.operators import settings
from syrve.operators.base import format_counts
from syrve.operators.rendered import as_text

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from syrve.sources.bad_rows import BadRows
    from syrve.sources.file_format import FileFormat
    from syrve.sources.inbox import Found
    from syrve.sources.rejects import Place
    from syrve.sources.source import Source
    from syrve.warehouse.runs import Counts

log = logging.getLogger(__name__)

_Write = Callable[[str, Iterable[bytes]], bool]


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is open; `write_beside` writes a file beside it and returns whether it could, None if it lies nowhere."""

    source: Source
    place: Place
    write_beside: _Write | None = None


@contextmanager
def opened_source(
    kind: str,
    *,
    path: object = None,
    path_conn_id: object = None,
    query: object = None,
    query_conn_id: object = None,
    file_format: Mapping[str, Any] | None = None,
    is_saved: bool = False,
) -> Iterator[Opened]:
    """Open the source `file` or `query` of a form or an operator.

    `is_saved` says that the query is one of the settings, which need no allow-list. Raises `UnusableSource` that says what is missing or
    not allowed.
    """
    from syrve.sources.errors import UnusableSource
    from syrve.sources.file_format import FileFormat

    how = FileFormat.of(file_format)
    if kind == "file":
        with _opened_file(as_text(path), as_text(path_conn_id), how) as opened:
            yield opened
    elif kind == "query":
        with _opened_query(as_text(query), as_text(query_conn_id), how, is_saved=is_saved) as opened:
            yield opened
    else:
        raise UnusableSource("source must be one of file, query")


def report_import(
    opened: Opened | None, counts: Counts, bad_rows: BadRows, *, dry_run: bool, created: int | None = None
) -> dict[str, Any]:
    """Log what an import did or would do, and return it as plain values, the bad rows as `report_bad_rows` does."""
    result: dict[str, Any] = counts.as_dict() | {"dry_run": dry_run}
    if created is not None:
        result["created"] = created
    log.info("%s: %s", "Dry run, nothing was written; it would be" if dry_run else "Done", format_counts(counts))
    if created:
        log.info("Of the changed ones %d %s new", created, "would be" if dry_run else "are")
    return result | report_bad_rows(opened, bad_rows)


def report_bad_rows(opened: Opened | None, bad_rows: BadRows) -> dict[str, Any]:
    """Log how the source was read and its first bad rows, and write all of these beside it; the log and the result hold no row's values."""
    result: dict[str, Any] = {"bad_rows": bad_rows.notes()}
    for note in bad_rows.first:
        log.warning("Line %d is rejected: %s", note.line, note.reason)
    if bad_rows.count > len(bad_rows.first):
        log.warning("... and %d more", bad_rows.count - len(bad_rows.first))
    if opened is None:
        return result
    facts = opened.source.facts
    log.info("Read: %s", facts.summary())
    result["source"] = facts.summary()
    if bad_rows.count and opened.write_beside:
        result["rejected_file"] = _write_bad_rows(opened.write_beside, bad_rows, facts.headings)
    return result


def _write_bad_rows(write_beside: _Write, bad_rows: BadRows, headings: Sequence[str]) -> str | None:
    from syrve.sources.bad_rows import SUFFIX

    if write_beside(SUFFIX, bad_rows.pieces(headings)):
        log.warning(
            "All %d rejected rows are in the file of the same name with %s, beside the source", bad_rows.count, SUFFIX
        )
        return SUFFIX
    log.warning("The rejected rows could not be written beside the source: the worker may not write there")
    return None


@contextmanager
def _opened_file(where: str | None, conn_id: str | None, how: FileFormat) -> Iterator[Opened]:
    from syrve.sources import inbox
    from syrve.sources.errors import UnusableSource
    from syrve.sources.files import FileSource
    from syrve.sources.rejects import Place

    if where is None:
        raise UnusableSource("the source is a file, but path is empty")
    places = inbox.find_in_inbox(inbox.parse_inbox(settings.inbox()), where)
    local = inbox.open_local([each for each in places if each.folder.scheme == "file"])
    if local is not None:
        found, file = local
        with file:
            place = Place("/".join(found.parts))
            yield Opened(
                FileSource(file, found.name, how),
                place,
                partial(inbox.write_beside, found),
            )
        return
    for found in places:
        if found.folder.scheme == "file":
            continue
        storage = _remote(found, conn_id)
        opened_file = _open_remote(storage, found)
        if opened_file is not None:
            with opened_file:
                source = FileSource(opened_file, found.name, how)
                yield Opened(source, Place("/".join(found.parts)), partial(_write_remote, storage, found))
            return
    raise UnusableSource(
        "there is no file at path in the inbox; its name must be as it is there, upper and lower case included"
    )


def _remote(found: Found, conn_id: str | None) -> AbstractFileSystem:
    from syrve.hooks.storage import UnusableStorage, open_storage
    from syrve.sources.errors import UnusableSource

    if conn_id is not None and conn_id != found.folder.conn_id:
        _check_connection(conn_id, "path_conn_id")
    try:
        return open_storage(found.folder.scheme, conn_id or found.folder.conn_id)
    except UnusableStorage as error:
        raise UnusableSource(f"the file at path cannot be opened: {error}") from None


def _open_remote(storage: AbstractFileSystem, found: Found) -> IO[bytes] | None:
    """Open a file of a bucket; None if there is none.

    `isfile` of a store answers no after any error, a refused login included, so the file itself is opened.
    """
    from syrve.sources.errors import UnreadableSource, UnusableSource

    try:
        if storage.info(found.key)["type"] != "file":
            return None
        file: IO[bytes] = storage.open(found.key, "rb")
    except (FileNotFoundError, IsADirectoryError):
        return None
    except PermissionError:
        raise UnusableSource(
            "the file at path cannot be opened: the store refuses the login; check its connection and its rights"
        ) from None
    except Exception as error:  # noqa: BLE001 - each storage has its own errors, whose texts may hold keys
        raise UnreadableSource(f"the file at path cannot be opened now ({type(error).__name__})") from None
    return file


def _write_remote(storage: AbstractFileSystem, found: Found, suffix: str, pieces: Iterable[bytes]) -> bool:
    """Write a file beside one of a bucket, as a whole or not at all: the stores show a file once it is complete."""
    with tempfile.NamedTemporaryFile(prefix="syrve-rejected-") as file:
        file.writelines(pieces)
        file.flush()
        try:
            storage.put_file(file.name, f"{found.key}{suffix}")
        except Exception:  # noqa: BLE001 - each storage has its own errors, whose texts may hold keys
            return False
    return True


@contextmanager
def _opened_query(text: str | None, conn_id: str | None, how: FileFormat, *, is_saved: bool) -> Iterator[Opened]:
    from syrve.sources.errors import UnusableSource
    from syrve.sources.query import QuerySource
    from syrve.sources.rejects import Place

    if text is None:
        raise UnusableSource("the source is a query, but query is empty")
    if conn_id is None:
        conn_id = settings.source_connections()[0] if settings.source_connections() else ""
    if not is_saved:
        _check_connection(conn_id, "query_conn_id")
    try:
        engine = BaseHook.get_hook(conn_id).get_sqlalchemy_engine()
    except Exception as error:  # noqa: BLE001 - each provider has its own errors, whose texts may hold passwords
        raise UnusableSource(
            f"the connection of the query cannot be used ({type(error).__name__}); check it in Airflow"
        ) from None
    try:
        name = f"query {hashlib.sha256(text.encode()).hexdigest()[:12]}"
        yield Opened(QuerySource(engine, text, how, listed_only=not is_saved), Place(name))
    finally:
        engine.dispose()


def _check_connection(conn_id: str, field: str) -> None:
    from syrve.sources.errors import UnusableSource

    allowed = settings.source_connections()
    if conn_id not in allowed:
        raise UnusableSource(
            f"{field} must be one of those that SYRVE_SOURCE_CONNECTIONS lists ({', '.join(allowed) or 'none now'})"
        )
