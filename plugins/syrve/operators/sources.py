"""Opens what an import reads: a file in any storage that Airflow reads, or a query on any SQL connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, ObjectStoragePath

from syrve.operators.rendered import as_text

if TYPE_CHECKING:
    import pandas as pd


def frames_of_file(path: object, path_conn_id: object) -> Iterator[pd.DataFrame]:
    """Read a roster file a chunk at a time; raise `UnusableSource` that says what is missing."""
    from syrve.customers.errors import UnusableSource
    from syrve.customers.roster_files import file_frames

    where = as_text(path)
    if where is None:
        raise UnusableSource("the source is a file, but path is empty")
    place = ObjectStoragePath(where, conn_id=as_text(path_conn_id))
    if not place.exists():
        raise UnusableSource("there is no file at path; it must be readable by the worker that runs the task")
    with place.open("rb") as file:  # type: ignore[no-untyped-call]
        yield from file_frames(file, place.name)


def frames_of_query(query: object, query_conn_id: object) -> Iterator[pd.DataFrame]:
    """Run a query a chunk at a time; raise `UnusableSource` that says what is missing."""
    from syrve.customers.errors import UnusableSource
    from syrve.customers.roster_query import query_frames

    text, conn_id = as_text(query), as_text(query_conn_id)
    if text is None or conn_id is None:
        raise UnusableSource("the source is a query, but query or query_conn_id is empty")
    engine = BaseHook.get_hook(conn_id).get_sqlalchemy_engine()
    try:
        yield from query_frames(engine, text)
    finally:
        engine.dispose()


def source_frames(
    source: str, *, path: object, path_conn_id: object, query: object, query_conn_id: object
) -> Iterator[pd.DataFrame]:
    """Read the source `file` or `query` of a form; raise `UnusableSource` that says what is missing."""
    from syrve.customers.errors import UnusableSource

    if source == "file":
        return frames_of_file(path, path_conn_id)
    if source == "query":
        return frames_of_query(query, query_conn_id)
    raise UnusableSource("source must be one of file, query")
