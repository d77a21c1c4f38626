"""Opens what an import reads: a file on any object storage, or a query on any SQL connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, ObjectStoragePath

from syrve.operators.rendered import as_text

if TYPE_CHECKING:
    import pandas as pd


def source_frames(
    source: str, *, path: object, path_conn_id: object, query: object, query_conn_id: object
) -> Iterator[pd.DataFrame]:
    """Return the frames of a source `file` or `query`; raise `UnusableSource` that says what the form lacks."""
    from syrve.customers.errors import UnusableSource

    if source == "file":
        place = as_text(path)
        if place is None:
            raise UnusableSource("the source is a file, but path is empty")
        return _from_file(place, as_text(path_conn_id))
    if source == "query":
        text, conn_id = as_text(query), as_text(query_conn_id)
        if text is None or conn_id is None:
            raise UnusableSource("the source is a query, but query or query_conn_id is empty")
        return _from_query(text, conn_id)
    raise UnusableSource("source must be one of file, query")


def _from_file(path: str, conn_id: str | None) -> Iterator[pd.DataFrame]:
    from syrve.customers.errors import UnusableSource
    from syrve.customers.roster_files import file_frames

    place = ObjectStoragePath(path, conn_id=conn_id)
    if not place.exists():
        raise UnusableSource("there is no file at path; it must be readable by the worker that runs the task")
    with place.open("rb") as file:  # type: ignore[no-untyped-call]
        yield from file_frames(file, place.name)


def _from_query(query: str, conn_id: str) -> Iterator[pd.DataFrame]:
    from syrve.customers.roster_query import query_frames

    engine = BaseHook.get_hook(conn_id).get_sqlalchemy_engine()
    try:
        yield from query_frames(engine, query)
    finally:
        engine.dispose()
