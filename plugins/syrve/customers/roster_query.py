"""Reads roster rows from a query on any SQL database."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import sqlalchemy
import sqlalchemy.exc

from syrve.customers.roster import CHUNK_ROWS, UnusableSource


def query_frames(engine: sqlalchemy.Engine, query: str) -> Iterator[pd.DataFrame]:
    """Run a query and give its rows a chunk at a time; raise `UnusableSource` where the database refuses it.

    The database's own message is dropped: it may quote rows.
    """
    try:
        with engine.connect().execution_options(stream_results=True) as connection:
            yield from pd.read_sql_query(
                sqlalchemy.text(query), connection, chunksize=CHUNK_ROWS, dtype_backend="numpy_nullable"
            )
    except sqlalchemy.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        kind = type(cause or error).__name__ + (f", {state}" if state else "")
        raise UnusableSource(f"the database refuses the query ({kind}); try it there by hand") from None
