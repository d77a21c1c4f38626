"""Opens what an import reads: a file at any path of Airflow's object storage, or a query on any SQL connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, ObjectStoragePath

from syrve.operators.rendered import as_text

if TYPE_CHECKING:
    import pandas as pd


def source_frames(
    source: str, *, path: str | None, path_conn_id: str | None, query: str | None, query_conn_id: str | None
) -> Iterator[pd.DataFrame]:
    """Read the source `file` or `query`, a chunk at a time; raise `UnusableSource` where the form does not say enough."""
    from syrve.customers.errors import UnusableSource

    if source == "file":
        place = as_text(path)
        if place is None:
            raise UnusableSource("the source is a file, but path is empty")
        return _from_file(place, as_text(path_conn_id))
    statement, conn_id = as_text(query), as_text(query_conn_id)
    if statement is None or conn_id is None:
        raise UnusableSource("the source is a query, but query or query_conn_id is empty")
    return _from_query(statement, conn_id)


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
