"""Reads roster rows from a query on any SQL database."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import sqlalchemy
import sqlalchemy.exc

from syrve.customers.errors import UnreadableSource, UnusableSource
from syrve.customers.identities import CHUNK_ROWS


def query_frames(engine: sqlalchemy.Engine, query: str) -> Iterator[pd.DataFrame]:
    """Run a query and give its rows a chunk at a time.

    Raises `UnusableSource` where the database refuses it, `UnreadableSource` where the database is out of reach or gives up. The
    database's own message is dropped: it may quote rows.
    """
    try:
        with engine.connect().execution_options(stream_results=True) as connection:
            yield from pd.read_sql_query(
                sqlalchemy.text(query), connection, chunksize=CHUNK_ROWS, dtype_backend="numpy_nullable"
            )
    except pd.errors.DatabaseError as error:
        raise _told(error.__cause__ or error) from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise _told(error) from None


def _told(error: BaseException) -> UnusableSource:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    kind = type(cause).__name__ + (f", {state}" if state else "")
    if isinstance(error, sqlalchemy.exc.OperationalError):
        return UnreadableSource(f"the database of the query is out of reach or gave up ({kind})")
    return UnusableSource(f"the database refuses the query ({kind}); try it there by hand")
